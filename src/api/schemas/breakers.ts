/** Circuit breakers as JSON. */
import { z } from 'zod'
import { breakerStateSchema } from './registry.ts'

export { breakerStateSchema }

export const breakerSchema = z
  .object({
    name: z.string().describe('The service.'),
    state: breakerStateSchema.describe('`open` only when all of its endpoints are.'),
    endpoints: z.array(z.object({ endpoint: z.string(), state: breakerStateSchema })),
  })
  .meta({ id: 'CircuitBreaker' })

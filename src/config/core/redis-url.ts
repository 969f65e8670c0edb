/** How a Redis is named in the configuration. */
import { filled } from './scalars.ts'

export const redisUrl = filled('URL', 'a URL such as redis://10.0.0.9:6379 or rediss://user:password@redis.internal:6380/0', {
  matching: /^rediss?:\/\/(?:[^\s/@]*@)?(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::\d{1,5})?(?:\/\d{1,5})?$/,
})

/** What a request asks for itself alone, and what it may ask for in disguise. */
import type { Fields } from '../../../cache/core/http/fields.ts'
import { overridingFields } from '../../../cache/core/http/key.ts'
import { wishesOf } from '../../../cache/core/http/serving.ts'
import { latin1 } from '../../http1/bytes.ts'

/** It may be answered as if it were another one (`overridingFields`). */
export const overrides = (request: Fields): boolean => overridingFields.some((name) => request.all(name).length > 0)

const ofOneClient = ['authorization', 'range', 'if-match', 'if-unmodified-since', 'if-none-match', 'if-modified-since'] as const

/** The answer is what everybody would get: if it may not be kept, nothing that is kept is right any more. */
export const isPlain = (request: Fields, status: number): boolean =>
  status !== 206 && status !== 304 && !wishesOf(request).noStore && ofOneClient.every((name) => request.all(name).length === 0)

const conditional = /^(?:if-none-match|if-modified-since|if-range|range):/i

/** A head that asks for the whole. */
export const withoutConditions = (head: Buffer): Buffer =>
  latin1(
    head
      .toString('latin1')
      .split('\r\n')
      .filter((line) => !conditional.test(line))
      .join('\r\n'),
  )

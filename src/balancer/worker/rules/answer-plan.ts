/** What the rules of a request do to its answer, once the head of the answer is there. */
import type { ContentCoding } from '../../../config/types.ts'
import { codedAway, variesBy, weakened } from '../../core/rules/encoding.ts'
import { HeadEdit } from '../../core/rules/head-edit.ts'
import type { AnswerRules, RouteRules } from '../../core/rules/rules.ts'
import type { Head } from '../../http1/head.ts'
import type { Answer } from '../answers.ts'
import { encoderFree } from './encoder.ts'
import { answerReading } from './reading.ts'

export interface AnswerPlan {
  readonly edits: readonly HeadEdit[]
  /** Lines that are added. */
  readonly lines: string
  /** How the body is compressed; undefined: it goes as it is. */
  readonly coding: ContentCoding | undefined
}

const coded = new HeadEdit(codedAway, '')

/** `minor`: of the client's HTTP/1.x. An older client gets plain bytes: it knows no chunks. */
export function planAnswer({ edit, lines, compression }: AnswerRules, head: Head, buffer: Buffer, minor: number): AnswerPlan {
  const edits = edit === undefined ? [] : [edit]
  const answer = answerReading(head, buffer)
  if (compression?.fits(answer) !== true) return { edits, lines, coding: undefined }
  const vary = variesBy(answer.field('vary'), 'accept-encoding') ? '' : 'Vary: Accept-Encoding\r\n'
  const { coding } = compression
  if (coding === undefined || minor !== 1 || !encoderFree()) return { edits, lines: lines + vary, coding: undefined }
  const etag = answer.field('etag')
  const tag = etag === undefined ? '' : `ETag: ${weakened(etag)}\r\n`
  return { edits: [...edits, coded], lines: `${lines}${vary}Content-Encoding: ${coding}\r\n${tag}`, coding }
}

/** An answer of our own as the route wants it: its page, and the lines that all answers of the route have. */
export function dressed(answer: Answer, rules: RouteRules, own: AnswerRules | undefined): Answer {
  const lines = own === undefined || isPreflight(answer) ? '' : own.lines + own.ownLines
  const page = answer.error === undefined ? undefined : (pageFor(answer, rules) ?? answer.page)
  return { ...answer, fields: (answer.fields ?? '') + lines, page }
}

/** It has its CORS lines already. */
const isPreflight = ({ status }: Answer): boolean => status === 204

/** The page that is set for it; undefined: none. */
export function pageFor({ status, details }: Answer, { pages }: Pick<RouteRules, 'pages'>): Answer['page'] {
  if (pages === undefined) return undefined
  return (details === 'maintenance' ? pages.maintenance : undefined) ?? pages[String(status)] ?? pages[`${Math.floor(status / 100)}xx`]
}

import { caddy } from './caddy.ts'
import { haproxy } from './haproxy.ts'
import { holdfast } from './holdfast.ts'
import { nginx } from './nginx.ts'
import { httpProxy3, replyFrom } from './node.ts'
import type { Target } from './target.ts'

export const targets: readonly Target[] = [holdfast, nginx, haproxy, caddy, replyFrom, httpProxy3]

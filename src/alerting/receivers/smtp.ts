/** E-mail: plain text, in one thread for each group. TLS as soon as the server offers it. */
import { createHash } from 'node:crypto'
import { createTransport, type Transporter } from 'nodemailer'
import type { SmtpConfig } from '../../config/types.ts'
import { messageOf } from '../../kernel/errors.ts'
import { linesOf, titleOf, type Notification } from '../core/notification.ts'
import { patience } from './patience.ts'
import { SendError, type Channel } from './port.ts'

const timeoutMs = 15_000
/** Of one mail from the connection to the last word, however slowly the other side goes on. */
const mailTimeoutMs = 60_000
const linesMax = 100

export class Smtp implements Channel {
  readonly kind = 'smtp'
  readonly #config: SmtpConfig
  #transport: Transporter | undefined
  /** Whom the server has not taken a notification for yet; the others have it. */
  readonly #left = new WeakMap<Notification, readonly string[]>()

  constructor(config: SmtpConfig) {
    this.#config = config
  }

  async send(notification: Notification, signal: AbortSignal): Promise<void> {
    const { from } = this.#config
    const to = this.#left.get(notification) ?? this.#config.to
    const thread = `<${createHash('sha256').update(`${notification.receiver}\n${notification.groupKey}`).digest('hex').slice(0, 32)}@holdfast>`
    const mail = {
      from,
      to: [...to],
      subject: titleOf(notification),
      text: `${[...linesOf(notification, linesMax), '', notification.externalUrl].join('\n')}\n`,
      messageId: `<${notification.id}@holdfast>`,
      inReplyTo: thread,
      references: thread,
      headers: { 'auto-submitted': 'auto-generated' },
    }
    try {
      const { rejectedErrors = [] } = (await within(this.#open().sendMail(mail), signal)) as { readonly rejectedErrors?: readonly Refused[] }
      if (rejectedErrors.length > 0) throw this.#partly(notification, rejectedErrors)
    } catch (cause) {
      if (cause instanceof SendError) throw cause
      throw new SendError(`tried to send mail by ${new URL(this.#config.url).host}: ${messageOf(cause)}`, { again: mayHelp(cause), cause })
    }
  }

  /** Some have it: another attempt is for those whom the server would not take now, and they are named. */
  #partly(notification: Notification, refused: readonly Refused[]): SendError {
    const later = refused.filter(mayHelp)
    this.#left.set(
      notification,
      (later.length > 0 ? later : refused).flatMap(({ recipient }) => recipient ?? []),
    )
    const who = refused.map(({ recipient = '?', response = '' }) => `${recipient} (${response})`).join(', ')
    return new SendError(`sent mail by ${new URL(this.#config.url).host}, which did not take it for ${who}`, { again: later.length > 0 })
  }

  #open(): Transporter {
    const { url, verify } = this.#config
    const { protocol, hostname, port, username, password } = new URL(url)
    const secure = protocol === 'smtps:'
    this.#transport ??= createTransport({
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: port === '' ? (secure ? 465 : 587) : Number(port),
      secure,
      ...(username !== '' && { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
      // A password never goes over a line that everybody can read.
      requireTLS: !secure && username !== '',
      tls: { rejectUnauthorized: verify },
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      disableFileAccess: true,
      disableUrlAccess: true,
    })
    return this.#transport
  }
}

/** What the server refuses for good (5xx) stays refused. */
function mayHelp(error: unknown): boolean {
  const code = error instanceof Error && 'responseCode' in error ? error.responseCode : undefined
  return !(typeof code === 'number' && code >= 500)
}

interface Refused extends Error {
  readonly recipient?: string
  readonly response?: string
}

async function within<T>(sending: Promise<T>, outer: AbortSignal): Promise<T> {
  const waiting = patience(outer, mailTimeoutMs)
  const { signal } = waiting
  const ended = new Promise<never>((_, reject) => {
    const stop = (): void => {
      reject(new SendError(`gave up sending mail: ${messageOf(signal.reason)}`, { again: !outer.aborted, cause: signal.reason }))
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([sending, ended])
  } finally {
    waiting[Symbol.dispose]()
  }
}

/** E-mail: plain text, in one thread for each group. TLS as soon as the server offers it. */
import { createHash } from 'node:crypto'
import { createTransport, type Transporter } from 'nodemailer'
import type { SmtpConfig } from '../../config/types.ts'
import { messageOf } from '../../kernel/errors.ts'
import { linesOf, titleOf, type Notification } from '../core/notification.ts'
import { SendError, type Channel } from './port.ts'

const timeoutMs = 15_000
const linesMax = 100

export class Smtp implements Channel {
  readonly kind = 'smtp'
  readonly #config: SmtpConfig
  #transport: Transporter | undefined

  constructor(config: SmtpConfig) {
    this.#config = config
  }

  async send(notification: Notification, signal: AbortSignal): Promise<void> {
    const { from, to } = this.#config
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
      await Promise.race([this.#open().sendMail(mail), ended(signal)])
    } catch (cause) {
      if (cause instanceof SendError) throw cause
      throw new SendError(`tried to send mail by ${new URL(this.#config.url).host}: ${messageOf(cause)}`, { again: mayHelp(cause), cause })
    }
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

function ended(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => {
      reject(new SendError('gave up sending mail', { again: false }))
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}

/** The ways in which somebody is told, each against a server of its kind. */
import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SMTPServer } from 'smtp-server'
import type { Notification } from '../../src/alerting/core/notification.ts'
import { channelsOf } from '../../src/alerting/receivers/index.ts'
import { SendError } from '../../src/alerting/receivers/port.ts'
import type { ReceiverConfig } from '../../src/config/types.ts'
import { systemClock } from '../../src/kernel/system.ts'
import { ms } from '../../src/kernel/time.ts'
import { until } from '../chaos/wait.ts'

const alert = {
  fingerprint: 'e87341228dc943c8',
  labels: { alertname: 'Down', service: 'shop', severity: 'critical' },
  annotations: { summary: 'shop is down <now>' },
  startsAt: 1_700_000_000_000,
  endsAt: 0,
  updatedAt: 1_700_000_000_000,
  timesOut: false,
  generatorUrl: undefined,
}
const notification: Notification = {
  id: 'n1',
  receiver: 'ops',
  groupKey: '{}:{alertname="Down"}',
  groupLabels: { alertname: 'Down' },
  why: 'first',
  alerts: [alert],
  externalUrl: 'http://127.0.0.1:3006',
  at: 1_700_000_001_000,
}
const over: Notification = { ...notification, id: 'n2', why: 'all resolved', alerts: [{ ...alert, endsAt: 1_700_000_060_000 }] }

interface Received {
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly body: Record<string, unknown>
}

let server: Server
let url: string
let answer = 200
let misbehave: ((response: ServerResponse) => void) | undefined
const received: Received[] = []

const mails: { readonly user: string | undefined; readonly to: readonly string[]; readonly secure: boolean; readonly text: string }[] = []
let smtp: SMTPServer
let smtpPort: number
const refusals: Record<string, number> = {}

beforeAll(async () => {
  server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8').on('data', (part: string) => (text += part))
    request.on('end', () => {
      received.push({ headers: request.headers, text, body: JSON.parse(text) as Record<string, unknown> })
      if (misbehave !== undefined) misbehave(response)
      else response.writeHead(answer).end(answer === 200 ? 'ok' : 'no such hook')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
  smtp = new SMTPServer({
    authOptional: true,
    onAuth: ({ username, password }, _session, done) => {
      if (password === 'right') done(null, { user: username })
      else done(new Error('wrong password'))
    },
    onRcptTo: ({ address }, _session, done) => {
      const refusal = refusals[address]
      done(refusal === undefined ? null : Object.assign(new Error('not now'), { responseCode: refusal }))
    },
    onData: (stream, session, done) => {
      let text = ''
      stream.setEncoding('utf8').on('data', (part: string) => (text += part))
      stream.on('end', () => {
        mails.push({ user: session.user, to: session.envelope.rcptTo.map(({ address }) => address), secure: session.secure, text })
        done()
      })
    },
  })
  smtpPort = await new Promise<number>((resolve) => {
    const listening = smtp.listen(0, '127.0.0.1', () => {
      resolve((listening.address() as AddressInfo).port)
    })
  })
})

afterAll(async () => {
  await new Promise((resolve) => server.close(resolve))
  await new Promise<void>((resolve) => {
    smtp.close(resolve)
  })
})

const send = async (receiver: Omit<ReceiverConfig, 'sendResolved'>, what = notification): Promise<void> => {
  for (const channel of channelsOf({ ...receiver, sendResolved: true }, () => systemClock.wallTime()))
    await channel.send(what, AbortSignal.timeout(5_000))
}

describe('a webhook', () => {
  const webhook = () => ({ url, secret: 's3cret', headers: { 'x-team': 'ops' }, timeout: ms(2_000) })

  it('gets what Alertmanager sends, signed', async () => {
    await send({ webhook: webhook() })
    const { headers, text, body } = received.at(-1) ?? { headers: {}, text: '', body: {} }
    expect(body).toEqual({
      receiver: 'ops',
      status: 'firing',
      alerts: [
        {
          status: 'firing',
          labels: alert.labels,
          annotations: alert.annotations,
          startsAt: '2023-11-14T22:13:20.000Z',
          endsAt: '0001-01-01T00:00:00Z',
          generatorURL: '',
          fingerprint: 'e87341228dc943c8',
        },
      ],
      groupLabels: { alertname: 'Down' },
      commonLabels: alert.labels,
      commonAnnotations: alert.annotations,
      externalURL: 'http://127.0.0.1:3006',
      version: '4',
      groupKey: '{}:{alertname="Down"}',
      truncatedAlerts: 0,
    })
    const [, t = '', v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['holdfast-signature'])) ?? []
    expect(v1).toBe(createHmac('sha256', 's3cret').update(`${t}.${text}`).digest('hex'))
    expect([headers['x-team'], headers['idempotency-key']]).toEqual(['ops', 'n1'])
  })

  it('is tried again for 503, and not for 404', async () => {
    for (const [status, again] of [
      [503, true],
      [429, true],
      [404, false],
    ] as const) {
      answer = status
      const error = await send({ webhook: webhook() }).catch((thrown: unknown) => thrown)
      answer = 200
      expect(error).toBeInstanceOf(SendError)
      expect([(error as SendError).again, (error as SendError).message]).toEqual([
        again,
        expect.stringContaining(`was answered ${status}: no such hook`),
      ])
    }
  })
})

describe('a webhook that misbehaves', () => {
  const outcome = async (how: (response: ServerResponse) => void, timeout = 1_000): Promise<unknown> => {
    misbehave = how
    try {
      await send({ webhook: { url, headers: {}, timeout: ms(timeout) } })
      return 'arrived'
    } catch (error) {
      return error
    } finally {
      misbehave = undefined
    }
  }

  it('has got it when it says 200, however its answer goes on', async () => {
    const endless = (response: ServerResponse): void => {
      response.writeHead(200)
      const more = (): void => {
        while (response.write('x'.repeat(16_384)));
      }
      response.on('drain', more)
      more()
    }
    expect(await outcome(endless)).toBe('arrived')
    expect(await outcome((response) => response.writeHead(200).write('never ends'), 300)).toBe('arrived')
    expect(await outcome((response) => response.writeHead(200, { 'content-length': 100 }).write('o', () => response.destroy()))).toBe('arrived')
  })

  it('is tried again when it hangs or hangs up, and not before it says', async () => {
    const hangs = await outcome(() => undefined, 200)
    expect([(hangs as SendError).again, (hangs as SendError).message]).toEqual([true, expect.stringContaining('not done in 200 ms')])
    expect(await outcome((response) => response.destroy())).toMatchObject({ again: true })
    expect(await outcome((response) => response.writeHead(429, { 'retry-after': '7' }).end())).toMatchObject({ again: true, afterMs: 7_000 })
    const date = new Date(1_700_000_000_000)
    const headers = { date: date.toUTCString(), 'retry-after': new Date(date.getTime() + 90_000).toUTCString() }
    expect(await outcome((response) => response.writeHead(503, headers).end())).toMatchObject({ again: true, afterMs: 90_000 })
    expect(await outcome((response) => response.writeHead(503, { 'retry-after': 'soon' }).end('no'))).toMatchObject({
      again: true,
      afterMs: undefined,
    })
  })

  it('is not followed to where it sends us, which is said', async () => {
    const moved = await outcome((response) => response.writeHead(302, { location: 'http://127.0.0.1:1/secret' }).end())
    expect([(moved as SendError).again, (moved as SendError).message]).toEqual([
      false,
      expect.stringMatching(/answered 302, .*redirects are not followed/),
    ])
  })
})

describe('what is long', () => {
  const long = { ...alert, labels: { ...alert.labels, huge: 'h'.repeat(8_000) }, annotations: { summary: `${'s'.repeat(999)}😀`.repeat(8) } }
  const many = {
    ...notification,
    groupLabels: long.labels,
    alerts: Array.from({ length: 60 }, (_, i) => ({ ...long, fingerprint: String(i).padStart(16, '0') })),
  }

  it('is cut for people, so that nobody refuses it', async () => {
    await send({ slack: { url, channel: undefined } }, many)
    expect(received.at(-1)?.text.length).toBeLessThan(40_000)
    await send({ pagerduty: { key: 'k', url } }, many)
    expect(received.at(-1)?.text.length).toBeLessThan(200_000)
    const { payload } = received.at(-1)?.body as { readonly payload: { readonly summary: string } }
    expect(payload.summary.length).toBeLessThanOrEqual(200)
    expect(received.at(-1)?.text).not.toContain('\\ud83d"')
  })

  it('goes to programs as it is, up to a number of alerts that is said', async () => {
    const alerts = Array.from({ length: 5_003 }, () => alert)
    await send({ webhook: { url, headers: {}, timeout: ms(5_000) } }, { ...notification, alerts })
    const body = received.at(-1)?.body as { readonly alerts: readonly unknown[]; readonly truncatedAlerts: number }
    expect([body.alerts.length, body.truncatedAlerts]).toEqual([5_000, 3])
  })
})

describe('Slack and PagerDuty', () => {
  it('get their own words', async () => {
    await send({ slack: { url, channel: '#ops' } })
    expect(received.at(-1)?.body).toMatchObject({
      channel: '#ops',
      attachments: [{ color: '#dc2626', title: '🔴 [FIRING 1] Down', text: 'critical: shop is down &lt;now&gt;' }],
    })
    await send({ pagerduty: { key: 'k', url } })
    const trigger = received.at(-1)?.body
    expect(trigger).toMatchObject({ routing_key: 'k', event_action: 'trigger', payload: { severity: 'error', source: 'shop', class: 'Down' } })
    await send({ pagerduty: { key: 'k', url } }, over)
    expect(received.at(-1)?.body).toEqual({ routing_key: 'k', event_action: 'resolve', dedup_key: trigger?.dedup_key })
  })
})

describe('mail', () => {
  const config = (user: string, verify: boolean) => ({
    url: `smtp://${user}127.0.0.1:${smtpPort}`,
    from: 'holdfast@example.com',
    to: ['oncall@example.com'],
    verify,
  })

  it('goes by STARTTLS and with a password, in one thread', async () => {
    await send({ smtp: config('holdfast:right@', false) })
    await send({ smtp: config('holdfast:right@', false) }, over)
    await until('both mails are there', () => mails.length === 2 || undefined)
    expect(mails.map(({ user, to, secure }) => ({ user, to, secure }))).toEqual(
      Array.from({ length: 2 }, () => ({ user: 'holdfast', to: ['oncall@example.com'], secure: true })),
    )
    const [first, second] = mails.map(({ text }) => /^References: (\S+)/m.exec(text)?.[1])
    expect(first).toBe(second)
    expect(mails[0]?.text).toContain('critical: shop is down <now>')
  })

  it('that some do not get is sent again to those, and to nobody twice', async () => {
    mails.length = 0
    const to = ['a@example.com', 'later@example.com', 'never@example.com']
    Object.assign(refusals, { 'later@example.com': 450, 'never@example.com': 550 })
    const [channel] = channelsOf({ smtp: { ...config('holdfast:right@', false), to }, sendResolved: true }, () => systemClock.wallTime())
    const attempt = async (): Promise<unknown> => channel?.send(notification, new AbortController().signal).catch((error: unknown) => error)
    const first = await attempt()
    expect([(first as SendError).again, (first as SendError).message]).toEqual([true, expect.stringMatching(/later@example.com.*never@example.com/)])
    delete refusals['later@example.com']
    expect(await attempt()).toBeUndefined()
    await until('both mails are there', () => mails.length === 2 || undefined)
    expect(mails.map((mail) => mail.to)).toEqual([['a@example.com'], ['later@example.com']])
    delete refusals['never@example.com']
  })

  it('is refused for a wrong password, for good; and where the certificate is nobody’s', async () => {
    const wrong = await send({ smtp: config('holdfast:wrong@', false) }).catch((error: unknown) => error)
    expect([(wrong as SendError).again, (wrong as SendError).message]).toEqual([false, expect.stringContaining('tried to send mail by 127.0.0.1')])
    await expect(send({ smtp: config('holdfast:right@', true) })).rejects.toThrow(/self.signed|certificate/i)
  })
})

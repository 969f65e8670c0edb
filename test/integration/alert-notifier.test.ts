/** When a receiver cannot be reached: who is told instead, what is kept, and sending it again; with a server that refuses. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Notifier } from '../../src/alerting/notifier.ts'
import { sendLimits } from '../../src/alerting/sender.ts'
import type { AlertingConfig } from '../../src/config/types.ts'
import { Prng } from '../../src/kernel/random.ts'
import { systemClock } from '../../src/kernel/system.ts'
import { ms } from '../../src/kernel/time.ts'
import { MemoryStore } from '../../src/store/index.ts'
import { until } from '../chaos/wait.ts'

interface Arrived {
  readonly path: string
  readonly id: string
  readonly names: readonly string[]
}

let server: Server
let store: MemoryStore
let notifier: Notifier
const arrived: Arrived[] = []
const dead = new Set<string>()
const hanging = new Set<string>()
/** Requests of each path that are not answered yet, and the most there were. */
const open = new Map<string, { now: number; most: number }>()
const announced: { readonly type: string; readonly message: string }[] = []
const problems: unknown[] = []

const webhook = (path: string) => ({
  webhook: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${path}`, headers: {}, timeout: ms(2_000) },
  sendResolved: true,
})

const config = (fallback?: string): AlertingConfig => ({
  receivers: { ops: webhook('ops'), lead: webhook('lead'), desk: webhook('desk') },
  root: {
    ...{ receiver: 'ops', groupBy: ['alertname'], groupWaitMs: 0, groupIntervalMs: 300_000, repeatIntervalMs: 3_600_000, urgent: true },
    escalate: [{ afterMs: 3_600_000, receiver: 'lead' }],
  },
  fallback,
  inhibit: [],
  timeIntervals: {},
  resolveTimeout: ms(300_000),
})

async function start(fallback?: string): Promise<void> {
  let ids = 0
  notifier = new Notifier({
    clock: systemClock,
    random: new Prng(1),
    store,
    events: {
      emit: (type, { message }) => {
        announced.push({ type, message })
        return String(announced.length)
      },
    },
    newId: () => `${process.hrtime.bigint()}-${++ids}`,
    externalUrl: () => 'http://127.0.0.1:3006',
    config: config(fallback),
    onProblem: (error) => problems.push(error),
  })
  await notifier.start()
}

const put = (alertname: string): void => {
  notifier.put([{ labels: { alertname, severity: 'critical' }, annotations: {} }])
}
const at = (path: string, alertname: string): readonly Arrived[] =>
  arrived.filter((each) => each.path === `/${path}` && each.names.includes(alertname))

beforeEach(async () => {
  for (const list of [arrived, announced, problems]) list.length = 0
  for (const each of [dead, hanging, open]) each.clear()
  server = createServer((request, response) => {
    const count = open.get(request.url ?? '') ?? { now: 0, most: 0 }
    open.set(request.url ?? '', { now: count.now + 1, most: Math.max(count.most, count.now + 1) })
    response.on('close', () => {
      const { now, most } = open.get(request.url ?? '') ?? { now: 1, most: 1 }
      open.set(request.url ?? '', { now: now - 1, most })
    })
    let text = ''
    request.setEncoding('utf8').on('data', (part: string) => (text += part))
    request.on('end', () => {
      const { url: path = '' } = request
      type Alerts = readonly { readonly labels: { readonly alertname: string } }[]
      const body = JSON.parse(text) as Alerts | { readonly alerts: Alerts }
      const alerts = 'alerts' in body ? body.alerts : body
      if (hanging.has(path.slice(1))) return
      const isDead = dead.has(path.slice(1))
      if (!isDead) arrived.push({ path, id: String(request.headers['idempotency-key']), names: alerts.map(({ labels }) => labels.alertname) })
      response.writeHead(isDead ? 404 : 200).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  store = new MemoryStore()
  await store.start()
})

afterEach(async () => {
  await notifier.stop()
  await store.stop()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  expect(problems).toEqual([])
})

describe('a receiver that cannot be reached', () => {
  it('is passed over: the next step is told at once, and nobody else', async () => {
    dead.add('ops')
    await start('desk')
    put('Down')
    await until('the next step', () => at('lead', 'Down')[0])
    expect([at('ops', 'Down'), at('desk', 'Down')]).toEqual([[], []])
    expect(notifier.deadLetters.all().map(({ notification }) => notification.receiver)).toEqual(['ops'])
  })

  it('and so is the next: the fallback is told, and an alert says so', async () => {
    for (const path of ['ops', 'lead']) dead.add(path)
    await start('desk')
    put('Down')
    await until('the fallback', () => at('desk', 'Down')[0])
    const failing = notifier.dispatcher.alerts().find(({ labels }) => labels.alertname === 'NotificationsFailing')
    expect(failing?.labels).toEqual({ alertname: 'NotificationsFailing', severity: 'critical', receiver: 'lead' })
    expect(failing?.annotations.summary).toMatch(/^nobody could be told of \{\}:\{alertname="Down"\}: lead failed \(.*404/)
    expect(announced.filter(({ type }) => type === 'notification.failed').length).toBeGreaterThanOrEqual(2)
  })

  it('is the whole chain and the fallback: what could not be told is kept', async () => {
    for (const path of ['ops', 'lead', 'desk']) dead.add(path)
    await start('desk')
    put('Down')
    await until(
      'both letters',
      () => notifier.deadLetters.all().filter(({ notification }) => notification.groupKey.includes('Down')).length >= 2 || undefined,
    )
    expect(arrived).toEqual([])
  })
})

describe('a receiver that hangs', () => {
  const routed = (): AlertingConfig => {
    const { root, ...rest } = config()
    const toLead = { matchers: [{ name: 'team', value: 'lead', isRegex: false, isEqual: true }], receiver: 'lead' }
    return { ...rest, root: { ...root, groupBy: '...', escalate: [], routes: [toLead] } }
  }

  it('is asked by a few at once, and keeps nobody waiting who tells another', async () => {
    hanging.add('ops')
    await start()
    notifier.adopt(routed())
    notifier.put(Array.from({ length: 300 }, (_, i) => ({ labels: { alertname: 'Down', i: String(i) }, annotations: {} })))
    await until('it is asked', () => open.get('/ops'))
    notifier.put([{ labels: { alertname: 'Other', team: 'lead' }, annotations: {} }])
    await until('the other is told', () => at('lead', 'Other')[0])
    expect(open.get('/ops')).toEqual({ now: sendLimits.atOnceMax, most: sendLimits.atOnceMax })
    expect(arrived).toHaveLength(1)
  })

  it('and whose address is mended gets everything at the new one at once, and nothing twice', async () => {
    hanging.add('ops')
    await start()
    const made = routed()
    notifier.adopt(made)
    notifier.put(Array.from({ length: 50 }, (_, i) => ({ labels: { alertname: 'Down', i: String(i) }, annotations: {} })))
    await until('it is asked', () => open.get('/ops'))
    notifier.adopt({ ...made, receivers: { ...made.receivers, ops: webhook('mended') } })
    await until('all is there', () => at('mended', 'Down').length === 50 || undefined)
    await until('nobody waits', () => (open.get('/ops')?.now ?? 1) <= 0 || undefined)

    expect(at('mended', 'Down')).toHaveLength(50)
    expect(notifier.deadLetters.all()).toEqual([])
  })
})

describe('an Alertmanager that hangs', () => {
  it('keeps no other waiting', async () => {
    hanging.add('slow/api/v2/alerts')
    await start()
    const am = (path: string) => ({ alertmanager: { url: `${new URL(webhook('').webhook.url).origin}/${path}` }, sendResolved: true })
    notifier.adopt({
      ...config(),
      receivers: { ops: am('quick'), lead: am('slow') },
      root: { ...config().root, escalate: [], routes: [{ receiver: 'lead', continue: true }, { receiver: 'ops' }] },
    })
    put('Down')
    await until('both are asked', () => (at('quick/api/v2/alerts', 'Down')[0] && open.get('/slow/api/v2/alerts')) ?? undefined)
    put('Another')
    await until('the quick one knows', () => at('quick/api/v2/alerts', 'Another')[0], 5_000)
    expect(open.get('/slow/api/v2/alerts')).toMatchObject({ now: 1, most: 1 })
  })
})

describe('that a receiver cannot be told', () => {
  const failing = () => notifier.dispatcher.alerts().find(({ labels }) => labels.alertname === 'NotificationsFailing')

  it('is an alert also where there is no other, of which it hears nothing itself, and which ends when it works again', async () => {
    dead.add('ops')
    await start()
    notifier.adopt({ ...config(), root: { ...config().root, escalate: [] } })
    put('Down')
    const shown = await until('the alert', failing)
    expect(shown.labels.receiver).toBe('ops')
    dead.clear()
    put('Another')
    await until('it works', () => at('ops', 'Another')[0])
    await until('it is over', () => (failing()?.endsAt ?? 0) <= systemClock.wallTime() || undefined)
    expect(arrived.flatMap(({ names }) => names)).toEqual(['Another'])
  })
})

describe('a dead letter', () => {
  it('is kept over a restart, stays while it does not arrive, and goes when it does, with its own id', async () => {
    dead.add('ops')
    await start()
    put('Down')
    const { id } = await until('the letter', () => notifier.deadLetters.all()[0])
    await notifier.stop()
    await start()
    const letter = notifier.deadLetters.get(id)
    expect(letter).toMatchObject({ integration: 'webhook', attempts: 1, error: expect.stringContaining('404') as string })
    await expect(notifier.resend(id)).rejects.toThrow('404')
    expect(notifier.deadLetters.get(id)).toBeDefined()
    dead.clear()
    await notifier.resend(id)
    expect(at('ops', 'Down').map((each) => each.id)).toContain(id)
    expect(notifier.deadLetters.get(id)).toBeUndefined()
    await expect(notifier.resend(id)).rejects.toMatchObject({ code: 'unknown_id' })
    expect(notifier.counts.get('ops\nwebhook')?.sent).toBeGreaterThanOrEqual(1)
  })
})

describe('what lies in the store', () => {
  it('keeps nobody from starting when it is damaged: the rest is known, and it is said', async () => {
    await start()
    put('Down')
    await until('it is told', () => at('ops', 'Down')[0])
    await notifier.stop()
    const kinds = ['alert', 'group', 'silence', 'ack', 'dead'] as const
    await store.commit({
      writes: kinds.flatMap((kind) => [
        { put: `alerting/${kind}/torn`, value: { id: 7 } },
        { put: `alerting/${kind}/none`, value: null },
      ]),
    })
    const [silence, orphan] = [
      { id: 's', matchers: [{ name: 'a', value: '(', isRegex: true, isEqual: true }], startsAt: 1, endsAt: 2 },
      { content: 'gone', alerts: [], nextFlushAt: 1, steps: 0, log: [] },
    ]
    await store.commit({
      writes: [
        { put: 'alerting/silence/s', value: silence },
        { put: 'alerting/group/orphan', value: orphan },
      ],
    })
    await start()
    expect(notifier.dispatcher.alerts().map(({ labels }) => labels.alertname)).toEqual(['Down'])
    expect(problems.splice(0).map(String)).toEqual(expect.arrayContaining([expect.stringContaining('left out 3 of 3 entries of the kind silence')]))
    await notifier.stop()
    expect((await store.list('alerting/')).filter(({ key }) => /torn|none|orphan|silence/.test(key))).toEqual([])
    expect(at('ops', 'Down')).toHaveLength(1)
  })

  it('takes the rest, when one thing is larger than it takes', async () => {
    await start()
    const { book } = notifier
    book.note('incident', 'large', { text: 'x'.repeat(2_000_000) })
    book.note('incident', 'small', { text: 'x' })
    await book.write()
    expect((await store.list('alerting/incident/')).map(({ key }) => key)).toEqual(['alerting/incident/small'])
    expect(String(problems.splice(0))).toContain('alerting/incident/large')
  })
})

describe('a silence that ends soon', () => {
  it('is told to whoever would hear of what it keeps quiet, as an alert that ends with it', async () => {
    await start()
    const now = systemClock.wallTime()
    const matchers = [{ name: 'service', value: 'shop', isRegex: false, isEqual: true }]
    // It began long ago, and half an hour is left.
    const silence = await notifier.setSilence({ matchers, startsAt: now, endsAt: now + 7_200_000, createdBy: 'anna', comment: 'disk' }, 'anna')
    await notifier.stop()
    const [kept] = await store.list<typeof silence>('alerting/silence/')
    if (kept === undefined) throw new Error('the silence is not in the store')
    await store.commit({ writes: [{ put: kept.key, value: { ...kept.value, startsAt: now - 7_200_000, endsAt: now + 1_800_000 } }] })
    await start()
    const [told] = await until('the reminder', () => (at('ops', 'SilenceExpiring').length > 0 ? at('ops', 'SilenceExpiring') : undefined))
    expect(told?.names).toEqual(['SilenceExpiring'])
    const reminder = notifier.dispatcher.alerts().find(({ labels }) => labels.alertname === 'SilenceExpiring')
    expect(reminder).toMatchObject({ endsAt: now + 1_800_000, labels: { service: 'shop', silence: silence.id, severity: 'warning' } })
    expect(announced.filter(({ type }) => type === 'silence.expiring')).toHaveLength(1)
  })
})

/** Alerts, from a killed instance to a webhook and a real Alertmanager; amtool and Prometheus at our port; and what a kill of the control process leaves. */
import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../chaos/wait.ts'
import { Alertmanager, hasAlertmanager, HookServer } from '../support/alertmanager.ts'
import { Product, type Ran } from '../support/product.ts'
import { hasPrometheus, Prometheus } from '../support/prometheus.ts'
import { writeFileSync } from 'node:fs'

const missing = hasAlertmanager() ? undefined : 'no prometheus-alertmanager or amtool on this machine'
if (missing) console.warn(`skipped: alerts beside a real Alertmanager: ${missing}`)

describe.skipIf(missing !== undefined)('alerts', () => {
  let product: Product
  let hooks: HookServer
  let alertmanager: Alertmanager
  let up: Awaited<ReturnType<Product['up']>>

  beforeAll(async () => {
    product = await Product.create()
    hooks = await HookServer.start()
    alertmanager = await Alertmanager.start({ route: { receiver: 'x' }, receivers: [{ name: 'x' }] })
    const receivers = {
      ops: { webhook: { url: hooks.url, secret: 'hunter2' } },
      am: { alertmanager: alertmanager.url },
      lead: { webhook: hooks.url },
    }
    const routes = [
      { receiver: 'am', continue: true },
      { match: { severity: 'emergency' }, receiver: 'lead' },
      { receiver: 'ops', escalate: [{ after: '1h', receiver: 'lead' }] },
    ]
    product.configure({ web: { instances: 2 } }, { alerting: { receivers, routes } })
    up = await product.up()
    await product.settled(2)
    writeFileSync(product.path('http.yml'), JSON.stringify({ basic_auth: { username: 'x', password: product.control?.token } }))
  })
  afterAll(async () => {
    await hooks.stop()
    await alertmanager.stop()
    await product.down().catch(() => undefined)
    expect(await product.end()).toEqual([])
  })

  const amtool = (...args: readonly string[]): { readonly code: number | null; readonly text: string } => {
    const { status, stdout, stderr } = spawnSync(
      'amtool',
      ['--alertmanager.url', product.control?.url ?? '', '--http.config.file', product.path('http.yml'), ...args],
      {
        encoding: 'utf8',
      },
    )
    return { code: status, text: stdout + stderr }
  }
  const ok = (...args: readonly string[]): string => {
    const { code, text } = amtool(...args)
    expect([args.join(' '), code, text]).toEqual([args.join(' '), 0, text])
    return text
  }
  const cli = async (...args: readonly string[]): Promise<Ran> => product.must(...args)

  it('a killed instance is at the webhook within 5 s, again and again, and in the Alertmanager; it sees the end', async () => {
    for (let round = 0; round < 3; round++) {
      await product.settled(2)
      const before = hooks.hooked.length
      const [pid = 0] = await product.pids()
      const killedAt = performance.now()
      process.kill(pid, 'SIGKILL')
      const hooked = await until('the webhook', () =>
        hooks.hooked.slice(before).find(({ alerts }) => alerts.some(({ labels }) => labels.alertname === 'InstanceDown')),
      )
      expect(hooked.at - killedAt).toBeLessThan(5_000)
    }
    const put = (endsAt?: string): Promise<Response> =>
      fetch(`${product.control?.url ?? ''}/api/v2/alerts`, {
        method: 'POST',
        headers: { authorization: `Bearer ${product.control?.token ?? ''}`, 'content-type': 'application/json' },
        body: JSON.stringify([{ labels: { alertname: 'Brief', severity: 'warning' }, ...(endsAt !== undefined && { endsAt }) }]),
      })
    const known = async (): Promise<boolean> => (await alertmanager.alerts()).some(({ labels }) => labels.alertname === 'Brief')
    expect((await put()).status).toBe(200)
    await until('the Alertmanager has it', async () => (await known()) || undefined)
    expect((await alertmanager.alerts()).some(({ labels }) => labels.alertname === 'InstanceDown')).toBe(true)
    await put(new Date().toISOString())
    await until('the Alertmanager shows it resolved', async () => !(await known()) || undefined)
  })

  it('amtool adds, asks, silences, changes, imports and expires', async () => {
    ok('alert', 'add', 'DiskFull', 'instance=a', 'severity=critical', '--annotation=summary=the disk is full')
    expect(ok('alert', 'query')).toMatch(/DiskFull .* the disk is full +active/)
    expect(JSON.parse(ok('alert', 'query', '-o', 'json', 'alertname=DiskFull'))).toMatchObject([
      { labels: { instance: 'a' }, status: { state: 'active' }, receivers: [{ name: 'am' }, { name: 'ops' }] },
    ])
    expect(ok('alert', 'query', '--receiver', 'lead')).not.toContain('DiskFull')
    const id = ok('silence', 'add', 'alertname=DiskFull', '-d', '1h', '-c', 'a new disk', '-a', 'me').trim()
    expect(ok('silence', 'query')).toMatch(new RegExp(`${id} +alertname="DiskFull".*a new disk`))
    expect(ok('silence', 'query', '-q', 'alertname=DiskFull').trim()).toBe(id)
    expect(ok('alert', 'query')).not.toContain('DiskFull')
    expect(ok('alert', 'query', '-s')).toMatch(/DiskFull .*suppressed/)
    expect(ok('silence', 'update', id, '-d', '2h', '-c', 'two disks')).toContain('two disks')
    const exported = ok('silence', 'query', '-o', 'json')
    ok('silence', 'expire', id)
    expect(ok('silence', 'query')).not.toContain(id)
    expect(ok('silence', 'query', '--expired')).toContain(id)
    const file = product.write(
      'silences.json',
      JSON.stringify((JSON.parse(exported) as object[]).map((each) => ({ ...each, id: '', comment: 'imported' }))),
    )
    ok('silence', 'import', file)
    expect(ok('silence', 'query')).toContain('imported')
    ok('silence', 'expire', ...ok('silence', 'query', '-q').trim().split('\n'))
    expect(amtool('silence', 'expire', 'nobody').code).not.toBe(0)
    expect(amtool('silence', 'add', 'alertname=a', '-d', '9d', '-c', 'x', '-a', 'me').text).toMatch(/longer than 7 days|400/)
    expect(ok('cluster', 'show')).toContain('disabled')
    expect(ok('config', 'show')).toContain('receiver: ops')
    expect(ok('config', 'show')).not.toContain('hunter2')
    expect(ok('config', 'routes', 'show')).toContain('receiver: lead')
    expect(ok('config', 'routes', 'test', 'severity=emergency').trim()).toBe('am,lead')
    expect((await cli('alerts', 'routes', 'severity=emergency')).stdout.trim()).toBe('am,lead')
  })

  it('is taken up and explained on the command line', async () => {
    const [alert] = (await product.ask<readonly { id: string; title: string }[]>('/alerts')).filter(({ title }) => title === 'DiskFull')
    const id = alert?.id ?? ''
    await cli('alerts', 'ack', id, '--comment', 'on it')
    expect((await cli('alerts')).stdout).toMatch(/critical +DiskFull +acknowledged/)
    const { stdout } = await cli('explain', id)
    expect(stdout).toContain('taken up   by cli')
    expect(stdout).toContain('then       lead')
    const tested = await fetch(`${product.control?.url ?? ''}/api/infrastructure/alerts/receivers/ops/test`, {
      method: 'POST',
      headers: { authorization: `Bearer ${product.control?.token ?? ''}` },
    })
    expect(await tested.json()).toMatchObject({ data: { receiver: 'ops', ways: ['webhook'] } })
    expect(hooks.hooked.at(-1)?.alerts[0]?.labels.alertname).toBe('Test')
    const [incident] = await product.ask<readonly { id: string; impact: string; alerts: readonly { labels: object }[] }[]>('/incidents')
    expect(incident).toMatchObject({ impact: 'major', alerts: [{ labels: { alertname: 'DiskFull' } }] })
    expect((await cli('incidents', incident?.id ?? '')).stdout).toMatch(/ack .*cli took up: DiskFull/)
  })

  it('a kill of the control process loses no silence, no acknowledgement, and tells nobody twice', async () => {
    await cli('silence', 'service=web', '--for', '1h', '--comment', 'moving')
    const before = hooks.hooked.filter(({ alerts }) => alerts.some(({ labels }) => labels.alertname === 'DiskFull')).length
    await new Promise((resolve) => setTimeout(resolve, 500)) // The notifier writes down what was done within 200 ms.
    up.signal('SIGKILL')
    await up.ended
    up = await product.up()
    expect((await cli('silence', 'list')).stdout).toContain('moving')
    expect((await cli('alerts')).stdout).toMatch(/DiskFull +acknowledged/)
    const after = hooks.hooked.filter(({ alerts }) => alerts.some(({ labels }) => labels.alertname === 'DiskFull')).length
    expect(after).toBe(before)
  })

  it.skipIf(!hasPrometheus())('a Prometheus server sends its alerts to us', async () => {
    const rules = product.write(
      'rules.yml',
      JSON.stringify({
        groups: [{ name: 'g', rules: [{ alert: 'FromPrometheus', expr: 'vector(1)', for: '8s', labels: { severity: 'warning' } }] }],
      }),
    )
    const address = (product.control?.url ?? '').replace('http://', '')
    const prometheus = await Prometheus.start([], {
      rule_files: [rules],
      alerting: { alertmanagers: [{ static_configs: [{ targets: [address] }], basic_auth: { username: 'x', password: product.control?.token } }] },
    })
    try {
      await until(
        'its alert is here',
        async () => (await product.ask<readonly { title: string }[]>('/alerts')).some(({ title }) => title === 'FromPrometheus') || undefined,
        30_000,
      )
    } finally {
      await prometheus.stop()
    }
  })
})

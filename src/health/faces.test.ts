/** What programs use: the briefs' names over the engine. Examples of the briefs stand here as they are written there, but for where the names come from. */
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../kernel/testing/virtual-clock.ts'
import { minutes, ms, seconds } from '../kernel/time.ts'
import { getHealthMonitoringSystem, HealthMonitor, HealthMonitoringSystem, type HealthAlert, type MachineAlert } from '../index.ts'

function system(): {
  readonly clock: VirtualClock
  readonly monitor: HealthMonitoringSystem
  readonly alerts: string[]
  readonly told: HealthAlert[]
} {
  const clock = new VirtualClock()
  const monitor = new HealthMonitoringSystem(clock)
  const told: HealthAlert[] = []
  const alerts: string[] = []
  monitor.on('alert', (alert) => {
    told.push(alert)
    alerts.push(`${alert.check} ${alert.level} ${alert.status}`)
  })
  return { clock, monitor, alerts, told }
}

describe('getHealthMonitoringSystem', () => {
  it('does what the brief shows', async () => {
    const database = { ping: () => Promise.resolve('PONG') }
    const healthMonitor = getHealthMonitoringSystem()
    await healthMonitor.registerHealthCheck('database-connection', {
      checkFunction: async () => await database.ping(),
      interval: 30000,
      timeout: 5000,
      retries: 3,
      alertThreshold: 2,
    })
    expect((await healthMonitor.runHealthCheck('database-connection')).state).toBe('up')
    expect(healthMonitor.getHealthDashboard()).toMatchObject({
      status: 'healthy',
      checks: [{ name: 'database-connection', state: 'up', message: 'PONG' }],
    })
    expect(getHealthMonitoringSystem()).toBe(healthMonitor)
    healthMonitor.stop()
    expect(() => healthMonitor.getHealthStatus('database-connection')).toThrow('no such check')
  })

  it('alerts after so many failed runs, escalates, and resolves', async () => {
    const { clock, monitor, alerts, told } = system()
    let well = true
    await monitor.registerHealthCheck('db', {
      checkFunction: () => {
        if (!well) throw new Error('connection refused')
      },
      interval: 10_000,
      alertThreshold: 2,
      level: 'warning',
      escalation: [
        { after: 60_000, level: 'critical' },
        { after: 120_000, level: 'emergency' },
      ],
    })
    await clock.advance(seconds(1))
    expect(monitor.getHealthStatus('db').state).toBe('up')
    well = false
    await clock.advance(seconds(20))
    expect(alerts).toEqual(['db warning firing'])
    expect(told[0]?.message).toBe('connection refused')
    await clock.advance(minutes(3))
    expect(alerts).toEqual(['db warning firing', 'db critical firing', 'db emergency firing'])
    expect(monitor.getActiveAlerts()).toMatchObject([{ check: 'db', level: 'emergency' }])
    well = true
    await clock.advance(seconds(20))
    expect(alerts.at(-1)).toBe('db emergency resolved')
    const { passed = 0 } = monitor.getTrend('db')
    expect(passed).toBeGreaterThan(0)
    expect(passed).toBeLessThan(0.5)
    monitor.stop()
    expect(clock.pending).toBe(0)
  })

  it('tries again before a run counts as failed, each attempt with its own time', async () => {
    const { clock, monitor } = system()
    let calls = 0
    await monitor.registerHealthCheck('flaky', {
      checkFunction: () => {
        calls++
        if (calls === 1) throw new Error('once')
        return calls === 2 ? new Promise(() => undefined) : { healthy: true, message: 'third time' }
      },
      timeout: 1_000,
      retries: 2,
    })
    await clock.advance(ms(1_500))
    expect([calls, monitor.getHealthStatus('flaky').message]).toEqual([3, 'third time'])
    monitor.stop()
  })

  it.each([
    [false, 'down', 'it returned false'],
    [{ healthy: false, message: 'no disk' }, 'down', 'no disk'],
    [{ status: 'unhealthy' }, 'down', 'it says that it is not healthy'],
    [undefined, 'up', 'passed'],
    [17, 'up', 'it measured 17, warning from 15'],
    [21, 'down', 'it measured 21, critical from 20'],
  ] as const)('takes %j for %s', async (returned, state, message) => {
    const { monitor } = system()
    await monitor.registerHealthCheck('x', { checkFunction: () => returned, alertThreshold: 1, warnAt: 15, criticalAt: 20 })
    expect(await monitor.runHealthCheck('x')).toMatchObject({ state, message })
    monitor.stop()
  })

  it('answers a failure, but not again and again', async () => {
    const { clock, monitor } = system()
    let [answers, well] = [0, false]
    const errors: unknown[] = []
    monitor.on('responseError', ({ error }) => errors.push(error))
    await monitor.registerHealthCheck('db', {
      checkFunction: () => well,
      interval: 5_000,
      alertThreshold: 1,
      response: {
        run: () => {
          answers++
          throw new Error('restart failed')
        },
        cooldown: 60_000,
        limit: 2,
      },
    })
    for (let i = 0; i < 20; i++) {
      await clock.advance(seconds(11))
      well = !well
    }
    expect(answers).toBe(2)
    expect(errors).toHaveLength(2)
    monitor.stop()
  })

  it('answers and escalates though a listener throws, which the program hears of', async () => {
    const { clock, monitor } = system()
    const before = process.listeners('uncaughtException')
    const heard: string[] = []
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', (error) => heard.push(error.message))
    const levels: string[] = []
    let answered = 0
    monitor.on('alert', () => {
      throw new Error('a fault of the program')
    })
    monitor.prependListener('alert', ({ level }) => levels.push(level))
    try {
      await monitor.registerHealthCheck('db', { checkFunction: () => NaN, interval: 1_000, alertThreshold: 1, response: { run: () => answered++ } })
      await clock.advance(minutes(6))
      await new Promise((resolve) => setImmediate(resolve))
    } finally {
      process.removeAllListeners('uncaughtException')
      for (const listener of before) process.on('uncaughtException', listener)
    }
    expect(monitor.getHealthStatus('db').message).toBe('it returned NaN, which is no number')
    expect([levels, answered, heard]).toEqual([['critical', 'emergency'], 1, ['a fault of the program', 'a fault of the program']])
    monitor.stop()
  })

  it('knows what needs what: one alert, and the impact', async () => {
    const { clock, monitor, alerts } = system()
    let well = true
    const check = (dependencies: readonly string[], interval: number) => ({ checkFunction: () => well, interval, alertThreshold: 1, dependencies })
    await monitor.registerHealthCheck('database', check([], 1_000))
    await monitor.registerHealthCheck('auth', check(['database'], 10_000))
    await monitor.registerHealthCheck('shop', check(['auth'], 10_000))
    await clock.advance(seconds(11))
    well = false
    await clock.advance(seconds(20))
    expect(alerts).toEqual(['database critical firing'])
    expect(monitor.getActiveAlerts().map(({ check: name, causedBy }) => [name, causedBy])).toEqual([
      ['database', undefined],
      ['auth', 'database'],
      ['shop', 'database'],
    ])
    expect(monitor.getImpact('database').summary).toBe('database down: affects auth, shop; 3 of 3 services')
    expect(monitor.getHealthDashboard().status).toBe('unhealthy')
    well = true
    await clock.advance(seconds(20))
    expect(alerts).toEqual(['database critical firing', 'database critical resolved'])
    monitor.stop()
  })

  it('refuses what makes no sense', async () => {
    const { monitor } = system()
    await expect(monitor.registerHealthCheck('none', {} as never)).rejects.toThrow('checkFunction is to be a function')
    const config = { checkFunction: () => true }
    await monitor.registerHealthCheck('db', config)
    await expect(monitor.registerHealthCheck('db', config)).rejects.toMatchObject({ code: 'conflict' })
    for (const wrong of [{ interval: 0 }, { timeout: -1 }, { retries: 1.5 }, { alertThreshold: 0 }]) {
      await expect(monitor.registerHealthCheck('other', { ...config, ...wrong })).rejects.toMatchObject({ code: 'invalid_input' })
    }
    await expect(monitor.runHealthCheck('other')).rejects.toMatchObject({ code: 'unknown_check' })
    expect([monitor.removeHealthCheck('db'), monitor.removeHealthCheck('db')]).toEqual([true, false])
    monitor.stop()
  })
})

describe('HealthMonitor', () => {
  it('reads this machine, and alerts at thresholds and by rules', async () => {
    const alerts: MachineAlert[] = []
    using monitor = new HealthMonitor({
      interval: 60_000,
      thresholds: {
        memory: { warning: 0.001, critical: 100 },
        disk: { warning: 0, critical: 0 },
        cpu: { warning: 101, critical: 101 },
        load: { warning: 1e6, critical: 1e6 },
      },
      rules: [
        {
          name: 'busy',
          level: 'critical',
          when: ({ processes = 0, connections = 0 }) => processes > 0 && connections >= 0,
          message: 'there are processes',
        },
      ],
    })
    monitor.on('alert', (alert) => alerts.push(alert))
    expect(monitor.getHealthStatus().status).toBe('unknown')
    await expect(monitor.checkHealth()).rejects.toMatchObject({ code: 'unavailable' })
    await monitor.start()
    await monitor.start()
    const { status, metrics } = await monitor.checkHealth()
    expect(status).toBe('critical')
    for (const [name, value] of Object.entries(metrics)) expect(value, name).toBeGreaterThanOrEqual(0)
    expect(alerts.map(({ name, level }) => `${name} ${level}`).toSorted()).toEqual(['busy critical', 'disk critical', 'memory warning'])
    expect(monitor.getHistory('memory')).toHaveLength(2)
    expect(() => {
      monitor.addAlertRule({ name: 'busy', when: () => false })
    }).toThrow('there is one of that name')
    monitor.stop()
    expect(monitor.running).toBe(false)
  })

  it('a rule that holds no more is resolved', async () => {
    let high = true
    const told: string[] = []
    using monitor = new HealthMonitor({ thresholds: { cpu: { warning: 101, critical: 101 }, load: { warning: 1e6, critical: 1e6 } } })
    monitor.on('alert', ({ name, level, status }) => {
      if (name === 'high') told.push(`${level} ${status}`)
    })
    await monitor.start()
    monitor.addAlertRule({ name: 'high', when: () => high })
    await monitor.checkHealth()
    high = false
    await monitor.checkHealth()
    expect(told).toEqual(['warning firing', 'warning resolved'])
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { componentStatuses } from '../types.ts'
import { componentStatus, indicatorOf, worst, type Standing } from './component-status.ts'

const standing = (changes: Partial<Omit<Standing, 'traffic'>> & { traffic?: Partial<Standing['traffic']> } = {}): Standing => ({
  health: 'healthy',
  maintenance: false,
  ready: 3,
  desired: 3,
  ...changes,
  traffic: { requestRate: 100, errorRate: 0, parked: 0, ...changes.traffic },
})

describe('what the public is told of a service', () => {
  it.each([
    ['all is well', standing(), 'operational'],
    ['an instance of three is being replaced', standing({ health: 'degraded', ready: 2 }), 'operational'],
    ['more than half is missing', standing({ health: 'degraded', ready: 1 }), 'degraded_performance'],
    ['nothing is ready', standing({ health: 'unhealthy', ready: 0 }), 'major_outage'],
    ['it starts, and requests wait', standing({ health: 'starting', ready: 0, traffic: { parked: 4 } }), 'partial_outage'],
    ['it is scaled to zero', standing({ ready: 0, desired: 0 }), 'operational'],
    ['it is healthy, and one answer in fifty fails', standing({ traffic: { errorRate: 0.02 } }), 'degraded_performance'],
    ['it is healthy, and one answer in twenty fails', standing({ traffic: { errorRate: 0.05 } }), 'partial_outage'],
    ['it is healthy, and half of the answers fail', standing({ traffic: { errorRate: 0.5 } }), 'major_outage'],
    ['the only answer failed', standing({ traffic: { requestRate: 0.1, errorRate: 1 } }), 'operational'],
    ['it is switched off by hand', standing({ health: 'maintenance', maintenance: true, ready: 0 }), 'under_maintenance'],
  ])('when %s', (_, given, told) => {
    expect(componentStatus(given)).toBe(told)
  })

  it('never better than what its health or its traffic alone would say', () => {
    const order = ['operational', 'under_maintenance', 'degraded_performance', 'partial_outage', 'major_outage']
    fc.assert(
      fc.property(
        fc.constantFrom('healthy', 'degraded', 'unhealthy', 'starting'),
        fc.nat(4),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (health, ready, errorRate) => {
          const both = componentStatus(standing({ health: health as 'healthy', ready, traffic: { errorRate } }))
          const alone = [standing({ health: health as 'healthy', ready }), standing({ traffic: { errorRate } })].map(componentStatus)
          expect(order.indexOf(both)).toBe(Math.max(...alone.map((one) => order.indexOf(one))))
        },
      ),
    )
  })
})

describe('the whole in one word', () => {
  it('goes by the worst component, and is critical only when all are down', () => {
    expect(indicatorOf(['operational', 'operational'], [])).toEqual({ indicator: 'none', description: 'All Systems Operational' })
    expect(indicatorOf(['operational', 'degraded_performance'], []).indicator).toBe('minor')
    expect(indicatorOf(['operational', 'major_outage'], []).indicator).toBe('major')
    expect(indicatorOf(['major_outage', 'major_outage'], []).indicator).toBe('critical')
    expect(indicatorOf(['operational', 'under_maintenance'], []).indicator).toBe('maintenance')
    expect(indicatorOf([], []).indicator).toBe('none')
  })

  it('is at least as grave as an incident that goes on', () => {
    expect(indicatorOf(['operational'], ['critical']).indicator).toBe('critical')
    expect(indicatorOf(['under_maintenance'], ['minor']).indicator).toBe('minor')
    expect(indicatorOf(['partial_outage'], ['minor', 'none']).description).toBe('Partial System Outage')
    expect(indicatorOf(['operational'], ['none']).indicator).toBe('none')
  })

  it('knows all the words', () => {
    for (const status of componentStatuses) expect(worst(['operational', status])).toBe(status)
  })
})

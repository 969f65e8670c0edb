/** How something stands: a shape, a colour and a word. */
import type { ComponentChildren } from 'preact'
import type { EndpointStatus, InstancePhase, ServiceStatus } from '../../../src/registry/types.ts'
import { Shape, type Tone } from './icon.tsx'

export const Status = ({ tone, children, title }: { tone: Tone; children: ComponentChildren; title?: string | undefined }) => (
  <span class={`status ${tone}`} title={title}>
    <Shape tone={tone} />
    {children}
  </span>
)

export const Badge = ({ tone = 'quiet', children, title }: { tone?: Tone | 'accent'; children: ComponentChildren; title?: string | undefined }) => (
  <span class={`badge ${tone}`} title={title}>
    {children}
  </span>
)

const serviceTones: Record<ServiceStatus['health'], Tone> = {
  healthy: 'ok',
  degraded: 'warn',
  unhealthy: 'bad',
  starting: 'info',
  maintenance: 'info',
}
export const ServiceHealth = ({ health, reason }: Pick<ServiceStatus, 'health'> & { reason?: string | undefined }) => (
  <Status tone={serviceTones[health]} title={reason}>
    {health}
  </Status>
)

const systemTones = { healthy: 'ok', degraded: 'warn', unhealthy: 'bad' } as const
export const SystemHealth = ({ status }: { status: keyof typeof systemTones }) => <Status tone={systemTones[status]}>{status}</Status>

const phaseTones: Record<InstancePhase, Tone> = {
  starting: 'info',
  ready: 'ok',
  unhealthy: 'bad',
  draining: 'info',
  stopping: 'info',
  backoff: 'warn',
  crashLooping: 'bad',
  done: 'quiet',
}
const phaseNames: Partial<Record<InstancePhase, string>> = { crashLooping: 'crash looping', backoff: 'waiting to restart' }
export const Phase = ({ phase, reason }: { phase: InstancePhase; reason?: string | undefined }) => (
  <Status tone={phaseTones[phase]} title={reason}>
    {phaseNames[phase] ?? phase}
  </Status>
)

/** An endpoint's state and health in one word: what decides whether it gets traffic. */
export function endpointState({ state, health, ejected, breaker }: EndpointStatus): readonly [Tone, string] {
  if (state === 'maintenance') return ['info', 'maintenance']
  if (state === 'draining') return ['info', 'draining']
  if (ejected !== undefined) return ['warn', 'ejected']
  if (breaker === 'open' || breaker === 'forcedOpen') return ['bad', breaker === 'open' ? 'breaker open' : 'isolated']
  if (health === 'unhealthy') return ['bad', 'unhealthy']
  if (health === 'pending') return ['info', 'pending']
  return ['ok', 'healthy']
}

export const levelTones = { debug: 'quiet', info: 'quiet', warning: 'warn', error: 'bad', critical: 'bad' } as const

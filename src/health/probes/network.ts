/** A network interface: it is up, and has no new errors. Measures what goes through it. */
import type { MachineView } from '../machine/machine-view.ts'
import type { DeviceCounts } from '../machine/proc-text.ts'
import type { Probe } from '../types.ts'

export function networkProbe(name: string | undefined, machine: MachineView): Probe {
  let before: { readonly at: number; readonly counts: DeviceCounts } | undefined
  return {
    async run() {
      const devices = await machine.devices()
      if (name !== undefined && !devices.has(name)) return { outcome: 'fail', message: `there is no interface ${name}` }
      const state = name === undefined ? 'unknown' : await machine.deviceState(name)
      if (state === 'down' || state === 'lowerlayerdown') return { outcome: 'fail', message: `${name ?? ''} is ${state}` }
      const chosen = [...devices].filter(([device]) => (name === undefined ? device !== 'lo' : device === name)).map(([, counts]) => counts)
      const counts = { bytes: sum(chosen, 'bytes'), errors: sum(chosen, 'errors') }
      const [at, last] = [machine.now(), before]
      before = { at, counts }
      if (last === undefined || at <= last.at) return { outcome: 'pass', message: 'counted for the first time' }
      const errors = counts.errors - last.counts.errors
      const rate = Math.max(0, Math.round(((counts.bytes - last.counts.bytes) * 1_000) / (at - last.at)))
      if (errors > 0) return { outcome: 'fail', message: `${errors} new errors`, value: rate, unit: 'bytes' }
      return { outcome: 'pass', message: `${rate} bytes a second`, value: rate, unit: 'bytes' }
    },
  }
}

const sum = (counts: readonly DeviceCounts[], field: keyof DeviceCounts): number => counts.reduce((all, one) => all + one[field], 0)

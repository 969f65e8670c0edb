/** The texts of /proc that checks read. Source: proc(5). */

export interface DeviceCounts {
  readonly bytes: number
  /** Errors and drops, in and out. */
  readonly errors: number
}

/** `/proc/meminfo`. Throws when it does not say what is available. */
export function memoryIn(text: string): { readonly total: number; readonly available: number } {
  const read = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? NaN) * 1_024
  const [total, available] = [read('MemTotal'), read('MemAvailable')]
  if (!(total > 0) || Number.isNaN(available)) throw new Error('read /proc/meminfo: it does not say how much memory is available')
  return { total, available }
}

/** `/proc/net/dev`. */
export function devicesIn(text: string): ReadonlyMap<string, DeviceCounts> {
  const devices = new Map<string, DeviceCounts>()
  for (const line of text.split('\n')) {
    const [, name, rest] = /^\s*([^\s:]+):\s*(.*)$/.exec(line) ?? []
    if (name === undefined || rest === undefined) continue
    const fields = rest.trim().split(/\s+/).map(Number)
    const at = (index: number): number => fields[index] ?? 0
    devices.set(name, { bytes: at(0) + at(8), errors: at(2) + at(10) })
  }
  return devices
}

const established = '01'

/** `/proc/net/tcp` and `tcp6`: established connections by local port. */
export function connectionsIn(tables: readonly string[]): ReadonlyMap<number, number> {
  const ports = new Map<number, number>()
  for (const table of tables) {
    for (const line of table.split('\n').slice(1)) {
      const [, local, , state] = line.trim().split(/\s+/)
      if (state !== established || local === undefined) continue
      const port = parseInt(local.slice(local.lastIndexOf(':') + 1), 16)
      ports.set(port, (ports.get(port) ?? 0) + 1)
    }
  }
  return ports
}

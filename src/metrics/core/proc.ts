/** What stands in the files of /proc that tell of the whole machine. Source: proc(5). */
export interface CpuTimes {
  readonly busy: number
  readonly total: number
}

/** The first line of /proc/stat: user nice system idle iowait irq softirq steal …; guest time is in user time already. */
export function cpuTimes(stat: string): CpuTimes | undefined {
  const [, numbers] = /^cpu +([\d ]+)$/m.exec(stat) ?? []
  if (numbers === undefined) return undefined
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = numbers.split(' ').map(Number)
  const busy = user + nice + system + irq + softirq + steal
  return { busy, total: busy + idle + iowait }
}

/** Bytes, of /proc/meminfo. */
export function memoryOf(meminfo: string): { readonly total: number; readonly available: number } | undefined {
  const kib = (name: string): number => Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(meminfo)?.[1] ?? NaN) * 1_024
  const [total, available] = [kib('MemTotal'), kib('MemAvailable')]
  return total > 0 && available >= 0 ? { total, available } : undefined
}

/** Average of the last minute, of /proc/loadavg. */
export function loadOf(loadavg: string): number | undefined {
  const load = Number.parseFloat(loadavg)
  return Number.isFinite(load) ? load : undefined
}

/** Bytes since the machine booted through all interfaces but loopback, of /proc/net/dev. */
export function networkOf(dev: string): { readonly received: number; readonly sent: number } {
  let [received, sent] = [0, 0]
  for (const line of dev.split('\n')) {
    const [, name, numbers] = /^ *([^: ]+): *([\d ]+)$/.exec(line.trimEnd()) ?? []
    if (name === undefined || numbers === undefined || name === 'lo') continue
    const columns = numbers.split(/ +/).map(Number)
    received += columns[0] ?? 0
    sent += columns[8] ?? 0
  }
  return { received, sent }
}

/** TCP connections that are established, or closed by the other side only, of /proc/net/snmp. */
export function establishedOf(snmp: string): number | undefined {
  const [names, values] = snmp.split('\n').filter((line) => line.startsWith('Tcp: '))
  const at = names?.split(' ').indexOf('CurrEstab') ?? -1
  const found = at < 0 ? undefined : values?.split(' ')[at]
  return found === undefined ? undefined : Number(found)
}

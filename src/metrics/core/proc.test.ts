import { expect, it } from 'vitest'
import { cpuTimes, establishedOf, loadOf, memoryOf, networkOf } from './proc.ts'

it('reads the files of /proc as Linux writes them', () => {
  expect(cpuTimes('cpu  100 5 50 800 20 3 2 10 7 0\ncpu0 1 2 3 4\n')).toEqual({ busy: 170, total: 990 })
  expect(memoryOf('MemTotal:       16000000 kB\nMemFree:          100000 kB\nMemAvailable:    4000000 kB\n')).toEqual({
    total: 16_384_000_000,
    available: 4_096_000_000,
  })
  expect(loadOf('1.50 0.70 0.30 2/431 9821\n')).toBe(1.5)
  const dev =
    'Inter-|   Receive  |  Transmit\n face |bytes packets|bytes\n    lo: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0\n  eth0: 100 2 0 0 0 0 0 0 40 2 0 0 0 0 0 0\nwlan0:7 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n'
  expect(networkOf(dev)).toEqual({ received: 107, sent: 45 })
  expect(establishedOf('Ip: A B\nIp: 1 2\nTcp: RtoMin CurrEstab InSegs\nTcp: 200 17 99\nUdp: X\n')).toBe(17)
})

it('says nothing of what it cannot read', () => {
  expect([cpuTimes(''), memoryOf('MemTotal: 5 kB\n'), loadOf('none'), establishedOf('')]).toEqual([undefined, undefined, undefined, undefined])
  expect(networkOf('')).toEqual({ received: 0, sent: 0 })
})

/** Asks for a DNS record, by the protocol itself: neither a hosts file nor a cache of this machine answers. */
import { promises, type SoaRecord } from 'node:dns'
import { codeOf } from '../../kernel/errors.ts'
import type { CheckSpec } from '../../config/types.ts'
import { hostPort } from '../core/addresses.ts'
import { addressesOf } from '../../kernel/lookup.ts'
import type { Probe } from '../types.ts'

type DnsSpec = Extract<CheckSpec, { kind: 'dns' }>

const failures: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such name',
  ENODATA: 'there is no such record',
  ESERVFAIL: 'the server failed',
  EREFUSED: 'the server refused',
  ETIMEOUT: 'no answer',
  ECONNREFUSED: 'nobody answers',
  EBADRESP: 'what it answers is not DNS',
}

export const dnsProbe = ({ name, type, server, expect }: DnsSpec): Probe => ({
  async run(signal, note) {
    const resolver = new promises.Resolver({ tries: 2 })
    const cut = (): void => {
      resolver.cancel()
    }
    signal.addEventListener('abort', cut, { once: true })
    try {
      note?.(server ? `asking ${hostPort(server)}` : 'asking the DNS servers of this machine')
      if (server) resolver.setServers([hostPort({ host: (await addressesOf(server.host))[0]?.address ?? server.host, port: server.port })])
      const found = (await resolver.resolve(name, type)) as DnsAnswer
      const answers = textsOf(found)
      const missing = expect.filter((wanted) => !answers.some((answer) => plain(answer) === plain(wanted)))
      if (missing.length > 0) return { outcome: 'fail', message: `expected ${missing.join(', ')}, got ${listed(answers) || 'nothing'}` }
      return { outcome: 'pass', message: listed(answers) }
    } catch (error) {
      const why = failures[codeOf(error) ?? '']
      if (why === undefined) throw error
      return { outcome: 'fail', message: `asked for ${type} of ${name}: ${why}` }
    } finally {
      signal.removeEventListener('abort', cut)
    }
  },
})

/** More are counted. */
const listedMax = 8

function listed(answers: readonly string[]): string {
  const more = answers.length - listedMax
  return `${answers.slice(0, listedMax).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

type DnsAnswer = readonly unknown[] | SoaRecord

const plain = (text: string): string => text.toLowerCase().replace(/\.$/, '')

/** As a zone file has them, without the name and the time: `10 mail.example.com`. */
function textsOf(found: DnsAnswer): readonly string[] {
  return (Array.isArray(found) ? (found as readonly unknown[]) : [found]).map((one) => {
    if (typeof one === 'string') return one
    // The parts of a TXT record.
    if (Array.isArray(one)) return one.join('')
    return Object.values(reordered(one as Readonly<Record<string, string | number>>)).join(' ')
  })
}

const order = ['priority', 'weight', 'port', 'exchange', 'name', 'nsname', 'hostmaster', 'serial', 'refresh', 'retry', 'expire', 'minttl']
const reordered = (record: Readonly<Record<string, string | number>>): readonly (string | number)[] => order.flatMap((field) => record[field] ?? [])

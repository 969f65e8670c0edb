import { describe, expect, it } from 'vitest'
import { hostsIn, namesToAsk, searchIn } from './names.ts'

describe('how a machine looks names up', () => {
  it('reads a hosts file', () => {
    const hosts = hostsIn(
      '127.0.0.1\tlocalhost\n::1 localhost ip6-localhost # loopback\n#10.0.0.1 gone\nnonsense here\n10.0.0.2 DB db.internal\n10.0.0.2 db\n',
    )
    expect(hosts.get('localhost')).toEqual([
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 },
    ])
    expect(hosts.get('db')).toEqual([{ address: '10.0.0.2', family: 4 }])
    expect([...hosts.keys()]).toEqual(['localhost', 'ip6-localhost', 'db', 'db.internal'])
  })

  it('asks by the search list in the order of ndots', () => {
    const search = searchIn('nameserver 10.0.0.1\nsearch ns.svc.cluster.local svc.cluster.local.\noptions edns0 ndots:5\n')
    expect(search).toEqual({ domains: ['ns.svc.cluster.local', 'svc.cluster.local'], ndots: 5 })
    expect(namesToAsk('db', search)).toEqual(['db.ns.svc.cluster.local', 'db.svc.cluster.local', 'db'])
    expect(namesToAsk('www.example.com', { domains: ['local'], ndots: 1 })).toEqual(['www.example.com', 'www.example.com.local'])
    expect(namesToAsk('db', searchIn(''))).toEqual(['db'])
  })
})

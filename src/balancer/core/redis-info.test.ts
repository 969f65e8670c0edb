import { describe, expect, it } from 'vitest'
import { readInfo } from './redis-info.ts'

describe('INFO replication', () => {
  it('of a primary that was promoted', () => {
    const text = '# Replication\r\nrole:master\r\nconnected_slaves:2\r\nslave0:ip=127.0.0.1,port=1\r\nmaster_replid:aa\r\nmaster_replid2:bb\r\n'
    expect(readInfo(text)).toEqual({ role: 'primary', history: 'aa', ancestor: 'bb', replicas: 2 })
  })

  it('of a primary that never was a replica', () => {
    expect(readInfo(`role:master\nmaster_replid:aa\nmaster_replid2:${'0'.repeat(40)}\n`)).toMatchObject({ history: 'aa', ancestor: undefined })
  })

  it('of a replica: linked, cut off, being filled', () => {
    const base = 'role:slave\r\nmaster_replid:aa\r\n'
    expect(readInfo(`${base}master_link_status:up\r\nmaster_sync_in_progress:0`)).toEqual({
      role: 'replica',
      history: 'aa',
      lagMs: 0,
      filling: false,
    })
    expect(readInfo(`${base}master_link_status:down\r\nmaster_link_down_since_seconds:7`)).toMatchObject({ lagMs: 7_000 })
    expect(readInfo(`${base}master_link_status:down\r\nmaster_link_down_since_seconds:-1\r\nmaster_sync_in_progress:1`)).toMatchObject({
      lagMs: undefined,
      filling: true,
    })
  })
})

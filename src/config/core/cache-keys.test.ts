import { describe, expect, it } from 'vitest'
import { parse, problems } from '../testing/configs.ts'

const service = (cache: string): string => `services: { web: { endpoints: ["10.0.0.9:1"], cache: ${cache} } }`
const top = (cache: string): string => `services: {}\ncache: ${cache}`
const usual = { heuristic: 0, maxBodyBytes: 1_048_576, grace: 0, storeCookies: false, requestDirectives: true }

describe('the cache of a service', () => {
  it.each([
    ['true', usual],
    ['{}', usual],
    ['{ enabled: true, maxAge: 60s, maxBodyBytes: 1MiB }', { ...usual, maxAge: 60_000 }],
    ['{ defaultMaxAge: 5m }', { ...usual, defaultMaxAge: 300_000 }],
    ['{ staleWhileRevalidate: 0s, grace: 1h, heuristic: 10%, requestDirectives: false }', { ...usual, staleWhileRevalidate: 0, grace: 3_600_000, heuristic: 0.1, requestDirectives: false }],
    ['false', undefined],
    ['{ enabled: false, maxAge: 60s }', undefined],
  ])('%s', (text, meaning) => {
    expect(parse(service(text)).config.services.web?.cache).toEqual(meaning)
  })

  it('is nothing for connections', () => {
    expect(problems('listeners: { db: { port: 1, protocol: tcp } }\nservices: { pg: { endpoints: ["a:1"], tcp: db, cache: true } }')).toEqual([
      'holdfast.yml:2:48 services.pg.cache: means nothing for tcp; leave it out: connections have no answers that could be kept',
    ])
  })
})

describe('where is kept', () => {
  it('Redis has one form', () => {
    const { redis } = parse(top('{ redis: { cluster: ["redis://:hunter2@a:7000"] } }')).config.cache
    expect(redis).toEqual({ cluster: ['redis://:hunter2@a:7000'], prefix: 'holdfast:cache:', encryptionKeys: [] })
    expect(problems(top('{ redis: { ttl: 1h } }'))).toEqual([
      'holdfast.yml:2:10 cache.redis: does not say where Redis is; give it url: redis://10.0.0.9:6379, or cluster, or sentinel',
    ])
    expect(problems(top('{ redis: { url: "redis://a", cluster: ["redis://a"] } }'))).toEqual([
      'holdfast.yml:2:37 cache.redis.cluster: cannot be combined with url; leave one of them out',
    ])
  })

  it('what belongs together comes together', () => {
    expect(problems(top('{ redis: { url: "redis://a", tls: { key: a.key } } }'))).toEqual([
      'holdfast.yml:2:44 cache.redis.tls.key: needs cert; a certificate and its private key go together',
    ])
    const former = 'formerEncryptionKeys: [AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=]'
    expect(problems(top(`{ redis: { url: "redis://a", ${former} } }`))).toEqual([
      'holdfast.yml:2:37 cache.redis.formerEncryptionKeys: means nothing without encryptionKey; give the key that encrypts now',
    ])
  })

  it('a key that is none is not shown', () => {
    expect(problems(top('{ redis: { url: "redis://a", encryptionKey: hunter2 } }'))).toEqual([
      'holdfast.yml:2:52 cache.redis.encryptionKey: expected a key of 32 bytes, in hex or base64, such as `openssl rand -base64 32` makes',
    ])
  })
})

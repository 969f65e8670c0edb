/** A certificate by ACME, from a real test authority (pebble) that comes and asks: got, served, renewed, and not got. */
import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { connect, type DetailedPeerCertificate } from 'node:tls'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { until } from '../chaos/wait.ts'
import { freePort } from '../support/balancer-harness.ts'
import { makePair } from '../support/certificates.ts'
import { Product } from '../support/product.ts'

let product: Product
const children: ChildProcess[] = []

beforeEach(async () => {
  product = await Product.create()
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  expect(await product.end()).toEqual([])
})

function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): void {
  children.push(spawn(command, args, { stdio: 'ignore', env: { ...process.env, ...env } }))
}

/** An authority whose certificates live for `validSeconds`; every name leads here. Returns its directory and who vouches for it. */
async function authority(validSeconds: number): Promise<{ readonly directory: string; readonly ca: string }> {
  const [port, management, dns, fake] = [await freePort(), await freePort(), await freePort(), await freePort()]
  const pair = makePair(product.directory, 'authority', { hosts: ['localhost'] })
  const config = product.write(
    'pebble.json',
    JSON.stringify({
      pebble: {
        listenAddress: `127.0.0.1:${port}`,
        managementListenAddress: `127.0.0.1:${management}`,
        certificate: pair.certFile,
        privateKey: pair.keyFile,
        httpPort: product.ports.web,
        tlsPort: 1,
        ocspResponderURL: '',
        externalAccountBindingRequired: false,
        certificateValidityPeriod: validSeconds,
      },
    }),
  )
  start('pebble-challtestsrv', [
    '-dns01',
    `127.0.0.1:${dns}`,
    '-http01',
    '',
    '-https01',
    '',
    '-tlsalpn01',
    '',
    '-defaultIPv6',
    '',
    '-management',
    `127.0.0.1:${fake}`,
  ])
  start('pebble', ['-config', config, '-dnsserver', `127.0.0.1:${dns}`], { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0' })
  return { directory: `https://localhost:${port}/dir`, ca: pair.certFile }
}

async function up(acme: { readonly directory: string; readonly ca: string }): Promise<void> {
  const tls = { acme: { hosts: ['shop.example.com'], agreeToTerms: true, email: 'ops@example.com', directory: acme.directory } }
  const listeners = {
    web: { port: product.ports.web, host: '127.0.0.1' },
    secure: { port: product.ports.spare, host: '127.0.0.1', tls },
  }
  // What the authority asks for goes before the redirect.
  product.configure(
    {
      web: {
        routes: [
          { path: '/', listener: 'secure' },
          { path: '/', listener: 'web', redirect: { https: true } },
        ],
      },
    },
    { listeners },
  )
  await product.serves(product.start(['up'], { env: { NODE_EXTRA_CA_CERTS: acme.ca } }))
}

function served(): Promise<DetailedPeerCertificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: product.ports.spare, servername: 'shop.example.com', rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate(true))
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

it('is got, served beside requests that go on, kept to ourselves, and renewed', async () => {
  await up(await authority(20))
  expect((await served()).subject.CN).toBe('localhost')
  const first = await until('the first one is served', async () => {
    const certificate = await served()
    return certificate.subjectaltname === 'DNS:shop.example.com' ? certificate : undefined
  })
  expect((await product.events('acme.obtained'))[0]?.data).toMatchObject({ listener: 'secure', hosts: ['shop.example.com'] })
  const folder = product.path('data', 'acme')
  expect(readdirSync(folder).map((name) => statSync(`${folder}/${name}`).mode & 0o777)).toEqual([0o600, 0o600])
  await until('it is renewed', async () => (await served()).serialNumber !== first.serialNumber || undefined)
  await product.down()
})

it('says why there is none, and serves the one for development', async () => {
  const pair = makePair(product.directory, 'nobody', { hosts: ['localhost'] })
  await up({ directory: `https://localhost:${await freePort()}/dir`, ca: pair.certFile })
  const failed = await until('it is told', async () => (await product.events('acme.failed'))[0])
  expect(failed.message).toMatch(/getting a certificate for shop\.example\.com \(listener secure\) failed: .+; the one in use stays/)
  expect((await served()).subject.CN).toBe('localhost')
  await product.down()
})

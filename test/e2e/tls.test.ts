/** Certificates as their operator deals with them: files that are replaced while traffic runs, bad ones, and one for development. */
import { X509Certificate } from 'node:crypto'
import { copyFileSync, existsSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { until } from '../chaos/wait.ts'
import { Product } from '../support/product.ts'
import { makePair } from '../support/certificates.ts'

let product: Product
const open: TLSSocket[] = []

beforeEach(async () => {
  product = await Product.create()
})
afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy()
  expect(await product.end()).toEqual([])
})

function listen(tls: Readonly<Record<string, unknown>>): void {
  product.configure(undefined, { listeners: { web: { port: product.ports.web, host: '127.0.0.1', tls } } })
}

function secure(): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: product.ports.web, servername: 'shop.test', rejectUnauthorized: false }, () => {
      resolve(socket)
    })
    open.push(socket)
    socket.on('error', reject)
  })
}

async function servedName(): Promise<string> {
  const socket = await secure()
  const subject = socket.getPeerX509Certificate()?.subject ?? ''
  socket.destroy()
  return subject
}

const statusOn = (socket: TLSSocket): Promise<string> =>
  new Promise((resolve, reject) => {
    socket.once('data', (bytes: Buffer) => {
      resolve(bytes.toString('latin1').split('\r\n')[0] ?? '')
    })
    socket.once('close', () => {
      reject(new Error('closed'))
    })
    socket.write('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n')
  })

it('takes up files that have changed, and keeps what it has when they are bad', async () => {
  const one = makePair(product.directory, 'one', { hosts: ['shop.test'] })
  const two = makePair(product.directory, 'two', { hosts: ['shop.test'] })
  const cert = product.path('live.crt')
  const key = product.path('live.key')
  const put = (pair: typeof one, part: 'both' | 'cert'): void => {
    copyFileSync(pair.certFile, cert)
    if (part === 'both') copyFileSync(pair.keyFile, key)
  }
  put(one, 'both')
  listen({ certificates: [{ cert: 'live.crt', key: 'live.key' }] })
  const up = await product.up()
  expect(up.stdout).toContain(`https://127.0.0.1:${product.ports.web}`)
  const kept = await secure()
  expect(await statusOn(kept)).toBe('HTTP/1.1 200 OK')
  expect(await servedName()).toBe('CN=one')
  const metrics = await (await fetch(`http://127.0.0.1:${product.ports.metrics}/metrics`)).text()
  const expiry = Date.parse(new X509Certificate(one.cert).validTo) / 1_000
  expect(metrics).toContain(`holdfast_certificate_expiry_timestamp_seconds{listener="web",file="${cert}"} ${expiry}`)

  put(two, 'cert')
  const refused = await until('the pair that does not match is told', async () => (await product.events('certificate.refused'))[0])
  expect(refused.message).toContain(`using ${cert} for listener web failed: the key ${key} belongs to another certificate`)
  expect(await servedName()).toBe('CN=one')

  put(two, 'both')
  process.kill(product.control?.pid ?? 0, 'SIGHUP')
  await until('the new one is served', async () => (await servedName()) === 'CN=two' || undefined)
  expect(await statusOn(kept)).toBe('HTTP/1.1 200 OK')
  await product.down()
})

it('does not start with a certificate that is not there, and says which', async () => {
  listen({ certificates: [{ cert: 'none.crt', key: 'none.key' }] })
  const { code, stderr } = await product.run('up')
  expect(code).not.toBe(0)
  expect(stderr).toContain(`using ${product.path('none.crt')} for listener web failed: there is no such file`)
})

it('makes a certificate for development and keeps it', async () => {
  listen({ development: true })
  await product.up()
  expect(await servedName()).toBe('CN=localhost')
  const files = ['development.crt', 'development.key'].map((name) => product.path('data', 'tls', name))
  expect(files.map((file) => existsSync(file) && statSync(file).mode & 0o777)).toEqual([0o644, 0o600])
  const before = readFileSync(files[0] ?? '', 'utf8')
  await product.down()
  await product.up()
  expect(readFileSync(files[0] ?? '', 'utf8')).toBe(before)
  await product.down()
})

it('does not speak to an endpoint whose authority is not the one it was given, says why, and does once it is', async () => {
  const own = makePair(product.directory, 'own', { hosts: ['origin.test'] })
  makePair(product.directory, 'other')
  const origin = createServer({ cert: own.cert, key: own.key }, (_request, response) => response.end('secure'))
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
  const address = `127.0.0.1:${(origin.address() as AddressInfo).port}`
  const trusting = (tls: Readonly<Record<string, unknown>>): void => {
    product.configure({ web: { endpoints: [address], routes: ['/'], origin: { tls: { serverName: 'origin.test', ...tls } } } })
  }
  try {
    trusting({ ca: 'other.crt' })
    await product.up()
    const refused = await product.get('/')
    expect([refused.status, refused.headers.get('proxy-status')]).toEqual([502, expect.stringContaining('tls_certificate_error')])
    const [event] = await until('it is told', async () => {
      const found = await product.events('endpoint.handshakeFailed')
      return found.length > 0 ? found : undefined
    })
    expect(event).toMatchObject({ level: 'error', service: 'web', data: { address, reason: expect.stringMatching(/certificate/) as string } })
    for (let i = 0; i < 5; i++) await product.get('/')
    expect(await product.events('endpoint.handshakeFailed')).toHaveLength(1)

    trusting({ verify: false })
    const { stdout, stderr } = await product.must('config', 'check')
    expect(stdout + stderr).toContain('warning: services.web.origin.tls.verify is false: any certificate is believed')
    process.kill(product.control?.pid ?? 0, 'SIGHUP')
    await until('it is believed unseen', async () => (await product.get('/')).text === 'secure' || undefined)
    trusting({ ca: 'own.crt' })
    expect((await product.must('config', 'check')).stderr).not.toContain('warning')
    process.kill(product.control?.pid ?? 0, 'SIGHUP')
    await until('the right authority is taken up', async () => ((await product.get('/')).text === 'secure' ? true : undefined))
    await product.down()
  } finally {
    origin.closeAllConnections()
    origin.close()
  }
})

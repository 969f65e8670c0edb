/** Certificates as their operator deals with them: files that are replaced while traffic runs, bad ones, and one for development. */
import { X509Certificate } from 'node:crypto'
import { copyFileSync, existsSync, readFileSync, statSync } from 'node:fs'
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

/** A DNS server over UDP for tests: answers from a table, and says that there is no such name for what is not in it. Source of the format: RFC 1035 §4.1. */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

const types = { A: 1, MX: 15, TXT: 16, SRV: 33 } as const

/** By name, in lower case: `{ 'shop.test': { A: ['192.0.2.1'] } }`. An MX is `10 mail.shop.test`. */
export type DnsRecords = Readonly<Record<string, { readonly [T in keyof typeof types]?: readonly string[] }>>

export class DnsServer {
  readonly #socket: Socket
  records: DnsRecords = {}
  /** It hears and says nothing. */
  silent = false

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('message', (question, { port, address }) => {
      if (!this.silent) socket.send(this.#answer(question), port, address)
    })
  }

  static async start(): Promise<DnsServer> {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return new DnsServer(socket)
  }

  get port(): number {
    return this.#socket.address().port
  }

  end(): void {
    this.#socket.close()
  }

  #answer(query: Buffer): Buffer {
    const { name, end } = nameAt(query, 12)
    const type = query.readUInt16BE(end)
    const known = this.records[name.toLowerCase()]
    const word = (Object.keys(types) as (keyof typeof types)[]).find((one) => types[one] === type)
    const answers = (word && known?.[word]) ?? []
    const head = Buffer.from(query.subarray(0, 12))
    // An answer, with recursion; NXDOMAIN where there is no such name.
    head.writeUInt16BE(0x8180 | (known ? 0 : 3), 2)
    head.writeUInt16BE(1, 4)
    head.writeUInt16BE(answers.length, 6)
    head.writeUInt32BE(0, 8)
    return Buffer.concat([head, query.subarray(12, end + 4), ...answers.map((text) => record(type, text))])
  }
}

function nameAt(packet: Buffer, from: number): { readonly name: string; readonly end: number } {
  const labels: string[] = []
  let at = from
  for (let length = packet[at] ?? 0; length > 0; length = packet[at] ?? 0) {
    labels.push(packet.toString('latin1', at + 1, at + 1 + length))
    at += length + 1
  }
  return { name: labels.join('.'), end: at + 1 }
}

const wireName = (name: string): Buffer =>
  Buffer.concat([...name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])), Buffer.from([0])])

function record(type: number, text: string): Buffer {
  const data = dataOf(type, text)
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(type, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(60, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

function dataOf(type: number, text: string): Buffer {
  if (type === types.A) return Buffer.from(text.split('.').map(Number))
  if (type === types.TXT) return Buffer.concat([Buffer.from([text.length]), Buffer.from(text)])
  const fields = text.split(' ')
  const numbers = Buffer.alloc((fields.length - 1) * 2)
  fields.slice(0, -1).forEach((field, i) => numbers.writeUInt16BE(Number(field), i * 2))
  return Buffer.concat([numbers, wireName(fields.at(-1) ?? '')])
}

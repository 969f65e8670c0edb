/** The way of requests to whatever lies outside: a name that no DNS server answers for holds no other request. */
import { Agent } from 'undici'
import { lookup } from './lookup.ts'

export const outbound = new Agent({ connect: { lookup } })

import { defineCommand, required, text } from '../command.ts'
import { printable } from '../style.ts'
import { renderTable, type Column } from '../table.ts'
import type { QuarantinedDescription } from '../client.ts'

const columns: readonly Column[] = [
  { title: 'ID' },
  { title: 'SERVICE' },
  { title: 'REQUEST', shrinkTo: 16 },
  { title: 'CRASHED' },
  { title: 'UNTIL (UTC)' },
]

export const quarantine = defineCommand({
  name: 'quarantine',
  summary: 'the requests that killed two instances, and are sent to none',
  description: 'They are answered 500 for an hour, or until they are forgotten. What the instances wrote last is in the event `request.quarantined`.',
  examples: ['holdfast quarantine', 'holdfast events --type request.quarantined'],
  async run(context) {
    const api = await context.connect()
    const requests = await api.quarantined()
    const { out } = context
    const table = renderTable(columns, requests.map(cellsOf), out.columns, (title) => out.paint('dim', title))
    return { data: requests, text: requests.length === 0 ? 'no request is quarantined' : table }
  },
})

function cellsOf({ id, service, request, crashes, until }: QuarantinedDescription): readonly string[] {
  return [id, service, printable(request, false), crashes.map(({ instance }) => instance).join(', '), until.slice(0, 16).replace('T', ' ')]
}

export const quarantineForget = defineCommand({
  name: 'quarantine forget',
  summary: 'send a quarantined request to instances again',
  arguments: { id: required('<id>', 'the id that `holdfast quarantine` shows', text) },
  examples: ['holdfast quarantine forget 5f0c3b2a9d8e7f60112233445566778a'],
  async run(context, { id }) {
    const api = await context.connect()
    await api.forgetQuarantined(id)
    return { data: { id, forgotten: true }, text: `${id} is sent to instances again` }
  },
})

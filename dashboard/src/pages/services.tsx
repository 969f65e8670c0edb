/** All services. */
import { query, setQuery } from '../lib/router.ts'
import { Card, Page } from '../ui/page.tsx'
import { ServiceTable } from './parts/service-table.tsx'

export function Services() {
  const filter = query.value.get('filter') ?? ''
  return (
    <Page
      title="Services"
      actions={
        <input
          type="search"
          aria-label="Filter by name"
          placeholder="Filter by name"
          value={filter}
          onInput={(event) => setQuery({ filter: event.currentTarget.value })}
        />
      }
    >
      <Card flush>
        <ServiceTable filter={filter} />
      </Card>
    </Page>
  )
}

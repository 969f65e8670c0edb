/** What needs somebody now, above everything else; nothing when all is well. */
import { services, system, tables } from '../../lib/live.ts'
import { duration } from '../../lib/format.ts'
import { href } from '../../lib/router.ts'
import { Shape } from '../../ui/icon.tsx'
import { serviceHref } from './service-table.tsx'

export function Trouble() {
  const down = services.value.filter(({ health }) => health === 'unhealthy')
  const disconnected = system.value?.proxyConnected === false
  const expiring = tables.certificates.all()
  if (down.length === 0 && !disconnected && expiring.length === 0) return null
  return (
    <div class="stack" style={{ gap: '6px' }}>
      {down.map(({ name, reason }) => (
        <div class="notice bad" key={name} role="status">
          <span class="status bad" style={{ paddingTop: '4px' }}>
            <Shape tone="bad" />
          </span>
          <div class="break">
            <a href={href(serviceHref(name))}>
              <strong>{name}</strong>
            </a>{' '}
            serves nobody{reason === undefined ? '' : `: ${reason}`}
          </div>
        </div>
      ))}
      {disconnected && (
        <div class="notice warn" role="status">
          The balancer is not connected to the control process. It serves by the last view it has; changes reach it when it is back.
        </div>
      )}
      {expiring.map(({ file, hosts, expiresAt }) => (
        <div class="notice warn" key={file} role="status">
          The certificate for {hosts.join(', ')} {expiresAt < Date.now() ? 'has expired' : `expires in ${duration(expiresAt - Date.now())}`}.
        </div>
      ))}
    </div>
  )
}

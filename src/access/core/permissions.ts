/**
 * What may be done, and from which role on: the whole of it, as data, so that it can be read, shown and
 * tested. Every route of the API names one of these; what is not listed cannot be done.
 */
import { includesRole, type Role } from './roles.ts'

export const permissions = {
  'read:status': { from: 'viewer', means: 'see services, instances, traffic and scaling history' },
  'read:events': { from: 'viewer', means: 'see events and follow them' },
  'read:logs': { from: 'viewer', means: 'see the output of instances' },
  'read:config': { from: 'viewer', means: 'see the configuration, without its secrets' },
  'read:cache': { from: 'viewer', means: 'see what the cache holds and how it does' },
  'scale:service': { from: 'operator', means: 'change the number of instances' },
  'restart:service': { from: 'operator', means: 'replace the instances of a service' },
  'profile:service': { from: 'operator', means: 'record what instances do and hold in memory, and read what was recorded' },
  'maintain:service': { from: 'operator', means: 'switch maintenance on and off' },
  'act:checks': { from: 'operator', means: 'make, pause and resume checks, and report heartbeats' },
  'change:servers': { from: 'operator', means: 'add and remove endpoints of the balancer' },
  'change:cache': { from: 'operator', means: 'set, delete and purge what the cache holds' },
  'read:alerts': { from: 'viewer', means: 'see alerts, silences, incidents, and who is told' },
  'change:alerts': { from: 'operator', means: 'put and acknowledge alerts, silence, test receivers, write about incidents' },
  'act:service': { from: 'operator', means: 'act on parts that come with a later release' },
  'manage:config': { from: 'admin', means: 'check, replace and reload the configuration' },
  'manage:access': { from: 'admin', means: 'make tokens, make and revoke API keys' },
  'manage:recovery': { from: 'admin', means: 'restore, fail over and read the audit log, in a later release' },
  'stop:system': { from: 'admin', means: 'drain and stop everything' },
} as const satisfies Record<string, { readonly from: Role; readonly means: string }>

export type Permission = keyof typeof permissions

export const may = (role: Role, permission: Permission): boolean => includesRole(role, permissions[permission].from)

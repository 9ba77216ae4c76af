/** What the audit trail records, in the order of a key's life. The console offers this list: nothing is imported here. */
export const KEY_ACTIONS = [
  'key.activated',
  'key.deactivated',
  'key.rotation-postponed',
  'key.compromised',
  'key.destruction-scheduled',
  'key.destruction-cancelled',
  'key.destroyed',
  'key.reencrypted',
  'key.rewrapped',
  'key.set-aside',
  'key.policy-set',
  'key.defaults-set',
  'operation.started',
  'operation.finished',
  'operation.cancelled',
  'operation.paused',
  'operation.resumed',
  'operation.refused',
  'export.started',
  'export.finished',
  'import.started',
  'import.finished',
  'audit.anchored'
] as const
export type KeyAction = (typeof KEY_ACTIONS)[number]

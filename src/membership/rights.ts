/**
 * What each role may do beyond reading, sending, and changing what is its own. The console has it from here: nothing is
 * imported.
 */
export type Right =
  | 'add members'
  | 'remove members'
  | 'set roles'
  | 'rename'
  | 'delete the conversation'
  | 'delete messages'
  | 'export the conversation'

const RIGHTS = {
  OWNER: new Set<Right>([
    'add members',
    'remove members',
    'set roles',
    'rename',
    'delete the conversation',
    'delete messages',
    'export the conversation'
  ]),
  MODERATOR: new Set<Right>(['remove members', 'delete messages']),
  MEMBER: new Set<Right>()
}

export function mayRole(role: keyof typeof RIGHTS, right: Right): boolean {
  return RIGHTS[role].has(right)
}

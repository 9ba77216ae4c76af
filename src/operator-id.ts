import { userInfo } from 'node:os'

/** Who works on the command line, for the audit trail. A container's user may have a number and no name. */
export function operatorId(user: () => { username: string } = userInfo): string {
  try {
    return `operator:${user().username}`
  } catch {
    return `operator:uid ${process.getuid?.()}`
  }
}

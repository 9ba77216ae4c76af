import { readFileSync } from 'node:fs'

const LISTENING = '0A'

/**
 * How many connections with clients a server of this machine holds: those that cost it a file descriptor, also where the
 * client has gone long ago.
 *
 * @param url of the server, http://
 */
export function openConnections(url: string): number {
  const port = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, '0')
  const lines = ['tcp', 'tcp6'].flatMap((name) => readFileSync(`/proc/net/${name}`, 'utf8').split('\n'))
  return lines.filter((line) => {
    // What no process holds any more has no inode.
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/)
    return local?.endsWith(`:${port}`) && state !== LISTENING && inode !== '0'
  }).length
}

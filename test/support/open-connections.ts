import { readFileSync } from 'node:fs'

const LISTENING = '0A'

/**
 * How many connections with clients a server of this machine holds: those that cost it a file descriptor, also where the
 * client has gone long ago.
 *
 * @param url of the server, http://
 * @param clientPort where only those of one client count
 */
export function openConnections(url: string, clientPort: number | null = null): number {
  const port = hexadecimal(Number(new URL(url).port))
  const remotePort = clientPort === null ? '' : `:${hexadecimal(clientPort)}`
  const lines = ['tcp', 'tcp6'].flatMap((name) => readFileSync(`/proc/net/${name}`, 'utf8').split('\n'))
  return lines.filter((line) => {
    // What no process holds any more has no inode.
    const [, local, remote, state, , , , , , inode] = line.trim().split(/\s+/)
    return local?.endsWith(`:${port}`) && remote?.endsWith(remotePort) && state !== LISTENING && inode !== '0'
  }).length
}

const hexadecimal = (port: number) => port.toString(16).toUpperCase().padStart(4, '0')

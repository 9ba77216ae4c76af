import type { FastifyInstance } from 'fastify'
import { StartError } from '../start-error.js'

/** The variables of the environment that say where. */
interface ListenVariables {
  host: 'HOST' | 'METRICS_HOST'
  port: 'PORT' | 'METRICS_PORT'
}

/**
 * @returns the URL at which it listens, with the port that the system gave where 0 was asked for
 * @throws StartError when that is not possible, naming what to change
 */
export async function listen(
  app: FastifyInstance,
  host: string,
  port: number,
  variables: ListenVariables
): Promise<string> {
  try {
    await app.listen({ host, port })
  } catch (error) {
    await app.close()
    throw asStartError(error, host, port, variables)
  }
  return `http://${nameOf(host)}:${(app.server.address() as { port: number }).port}`
}

function asStartError(error: unknown, host: string, port: number, variables: ListenVariables): unknown {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'EADDRINUSE')
    return new StartError(
      `Port ${port} on ${host} is in use. Stop what listens there, or set ${variables.port} to another number.`
    )
  if (code === 'EACCES')
    return new StartError(
      `Port ${port} needs rights that this user does not have. Set ${variables.port} to a number over 1023.`
    )
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return new StartError(`${variables.host} ${host} is not an address of this machine.`)
  return error
}

function nameOf(host: string): string {
  if (host === '127.0.0.1' || host === '0.0.0.0' || host === '::') return 'localhost'
  return host.includes(':') ? `[${host}]` : host
}

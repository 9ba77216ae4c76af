import type { LiveConsumer } from '../delivery/follower.js'
import { Unauthenticated } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Sight } from '../message/find-messages.js'
import type { Transport } from '../metrics/operation-metrics.js'
import type { Services } from '../services.js'
import { createLoaders, type Loaders } from './loaders.js'

/** What every resolver gets: who asks, what there is to work with, and look-ups gathered into few statements. */
export interface Context {
  /** Null for a request without a token. */
  viewer: Viewer | null
  services: Services
  /** IP address that the request came from, as far as trusted proxies tell; null where it does not matter. */
  address: string | null
  readonly arrival: Arrival
  readonly loaders: Loaders
  /** What is shown, where it does not depend on the viewer. */
  sight?: Sight | undefined
  /** How the transport takes results of a subscription that it has not asked for; none where it does not. */
  sink?: ResultSink | undefined
  /** Of a subscription: what takes its events as they happen. */
  consumer?: LiveConsumer | null
}

/** How and when a request has come, by the process's own clock. */
export interface Arrival {
  transport: Transport
  startedAt: number
}

export interface ResultSink {
  /**
   * @param results in their order, at least one; in JSON, their errors as clients see them
   * @returns false when the client has not taken what was sent before: nothing was sent
   */
  take(results: readonly string[]): boolean
  /** Settles when the client has taken what was sent before, or has gone. */
  room(): Promise<void>
}

/** @param authorization value of the Authorization header, or of `connectionParams.authorization` */
export async function createContext(
  services: Services,
  authorization: string | undefined,
  transport: Transport,
  address: string | null = null
): Promise<Context> {
  const arrival = arrivalBy(transport)
  const viewer = authorization === undefined ? null : await services.authenticate(authorization)
  if (viewer) await services.users.see(viewer)
  return contextOf(services, viewer, arrival, { address })
}

export function arrivalBy(transport: Transport): Arrival {
  return { transport, startedAt: performance.now() }
}

/**
 * @param viewer already authenticated and seen
 * @param options.sight what is shown of a conversation, whoever the viewer is; without it, what the viewer may see
 */
export function contextOf(
  services: Services,
  viewer: Viewer | null,
  arrival: Arrival,
  { sink, sight, address = null }: { sink?: ResultSink; sight?: Sight; address?: string | null } = {}
): Context {
  let loaders: Loaders | undefined
  return {
    viewer,
    services,
    address,
    arrival,
    // Most subscriptions never use their own.
    get loaders() {
      loaders ??= sight ? createLoaders(services, null, sight) : createLoaders(services, viewer)
      return loaders
    },
    sight,
    sink
  }
}

/** @throws Unauthenticated for a request without a token */
export function requireViewer({ viewer }: Context): Viewer {
  if (!viewer) throw new Unauthenticated()
  return viewer
}

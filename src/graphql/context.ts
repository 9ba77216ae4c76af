import { Unauthenticated } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { createLoaders, type Loaders } from './loaders.js'

/** What every resolver gets: who asks, what there is to work with, and look-ups gathered into few statements. */
export interface Context {
  /** Null for a request without a token. */
  viewer: Viewer | null
  services: Services
  loaders: Loaders
}

/** @param authorization value of the Authorization header, or of `connectionParams.authorization` */
export async function createContext(services: Services, authorization: string | undefined): Promise<Context> {
  const viewer = authorization === undefined ? null : await services.authenticate(authorization)
  if (viewer) await services.users.see(viewer)
  return contextOf(services, viewer)
}

/** @param viewer already authenticated and seen */
export function contextOf(services: Services, viewer: Viewer | null): Context {
  return { viewer, services, loaders: createLoaders(services, viewer) }
}

/** @throws Unauthenticated for a request without a token */
export function requireViewer({ viewer }: Context): Viewer {
  if (!viewer) throw new Unauthenticated()
  return viewer
}

import type { Services } from '../services.js'
import { type WrappedBatch, wrapBatch } from './rewrap-batch.js'
import { findKeysToRewrap, type RewrapTarget } from './rewrap-position.js'

interface Begun {
  position: string
  target: RewrapTarget
  batch: Promise<WrappedBatch | null>
}

/**
 * The batch behind the one that is being stored, wrapped meanwhile: the one is work of the database, the other of this
 * process. What has changed in the rows until it is stored is found out by the storing, which compares the bytes that
 * were read.
 */
export class RewrapAhead {
  #begun: Begun | null = null

  /** @param size keys at most */
  begin(services: Services, position: string, target: RewrapTarget, size: number, stop: AbortSignal): void {
    const batch = wrapNext(services, position, target, size, stop)
    // Whoever waits for it hears of it; if nobody does, the next step meets it again.
    batch.catch(() => {})
    this.#begun = { position, target, batch }
  }

  /**
   * @returns null when nothing was begun there
   * @throws MasterKeyError, UntrueWrapping
   */
  async batchAt(position: string | null, target: RewrapTarget): Promise<WrappedBatch | null> {
    const begun = this.#begun
    this.#begun = null
    const isThere =
      begun?.position === position && begun.target.uri === target.uri && begun.target.version === target.version
    return isThere ? await begun.batch : null
  }
}

async function wrapNext(
  services: Services,
  position: string,
  target: RewrapTarget,
  size: number,
  stop: AbortSignal
): Promise<WrappedBatch | null> {
  const found = await findKeysToRewrap(services.database.entities(), target, position, size)
  if (!found || !services.masterKeys.uris.includes(found.masterKey)) return null
  return await wrapBatch(services, found, stop)
}

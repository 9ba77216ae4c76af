import type { Services } from '../src/services.js'

/** Tops up the pool of key pairs, so that creating and rotating do not wait for RSA. */
export async function refillKeyPool(
  { keySupply, config, log }: Pick<Services, 'keySupply' | 'config' | 'log'>,
  stop: AbortSignal
): Promise<void> {
  const made = await keySupply.refill(config.keyPoolTarget, stop)
  if (made > 0) log.debug({ made }, 'key pool refilled')
}

import { NotFound } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import { findKeyOperation, type KeyOperation } from '../key-life/key-operations.js'
import type { Services } from '../services.js'
import { abortable } from './abortable.js'
import { Alarm } from './alarm.js'
import { requireUnexpired } from './message-stream.js'
import { POLL_MS } from './slow-poll.js'

/**
 * An operation on keys as it stands now, and again whenever it has moved on, until it has finished.
 *
 * @throws NotFound when there is no such operation
 */
export async function operationProgress(
  services: Pick<Services, 'database' | 'signals' | 'clock'>,
  viewer: Viewer,
  id: string
): Promise<AsyncIterableIterator<KeyOperation>> {
  if (!(await findKeyOperation(services, id))) throw new NotFound('operation')
  const alarm = new Alarm()
  const unsubscribe = services.signals.subscribe(`operation:${id}`, () => alarm.ring())
  return abortable(async function* (signal) {
    let shown = ''
    while (!signal.aborted) {
      requireUnexpired(services, viewer)
      alarm.reset()
      const operation = await findKeyOperation(services, id)
      if (!operation) return
      const { state, done, failed, total } = operation
      const now = [state, done, failed, total].join()
      if (now !== shown) yield operation
      shown = now
      if (operation.finishedAt) return
      await alarm.wait(POLL_MS, signal)
    }
  }, unsubscribe)
}

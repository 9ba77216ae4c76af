import { NotFound } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import { findKeyOperation, type KeyOperation } from '../key-life/key-operations.js'
import type { Services } from '../services.js'
import { findExport, type OrderedExport } from '../transfer/ordered-exports.js'
import { abortable } from './abortable.js'
import { Alarm } from './alarm.js'
import { requireUnexpired } from './message-stream.js'
import { POLL_MS } from './slow-poll.js'

type ProgressServices = Pick<Services, 'database' | 'signals' | 'clock'>

/** What an operation shows of how far it is. */
type Progressing = Pick<KeyOperation, 'state' | 'done' | 'total' | 'error' | 'finishedAt'> & { failed?: number }

/**
 * An operation on keys as it stands now, and again whenever it has moved on, until it has finished.
 *
 * @throws NotFound when there is no such operation
 */
export async function operationProgress(
  services: ProgressServices,
  viewer: Viewer,
  id: string
): Promise<AsyncIterableIterator<KeyOperation>> {
  const find = () => findKeyOperation(services, id)
  if (!(await find())) throw new NotFound('operation')
  return follow(services, viewer, id, find)
}

/**
 * The same of an export that the viewer has asked for; it ends as well when the viewer may not have it any more.
 *
 * @throws NotFound when there is none for the viewer
 */
export async function exportProgress(
  services: ProgressServices,
  viewer: Viewer,
  id: string
): Promise<AsyncIterableIterator<OrderedExport>> {
  const find = () => findExport(services, viewer, id)
  if (!(await find())) throw new NotFound('export')
  return follow(services, viewer, id, find)
}

function follow<T extends Progressing>(
  services: ProgressServices,
  viewer: Viewer,
  id: string,
  find: () => Promise<T | null>
): AsyncIterableIterator<T> {
  const alarm = new Alarm()
  const unsubscribe = services.signals.subscribe(`operation:${id}`, () => alarm.ring())
  return abortable(async function* (signal) {
    let shown = ''
    while (!signal.aborted) {
      requireUnexpired(services, viewer)
      alarm.reset()
      const operation = await find()
      if (!operation) return
      const { state, done, failed, total, error } = operation
      const now = [state, done, failed, total, error].join()
      if (now !== shown) yield operation
      shown = now
      if (operation.finishedAt) return
      await alarm.wait(POLL_MS, signal)
    }
  }, unsubscribe)
}

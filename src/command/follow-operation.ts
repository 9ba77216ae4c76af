import { setTimeout as delay } from 'node:timers/promises'
import type { SingleBar } from 'cli-progress'
import type { KeyOperation } from '../key-life/key-operations.js'
import type { Services } from '../services.js'
import { EXIT } from './exit-codes.js'
import type { Output } from './output.js'
import { progressBar } from './progress-bar.js'

const LOOK_EVERY_MS = 500

interface Following {
  /** What is being done, for the bar: "Moving". */
  doing: string
  output: Output
  stop: AbortSignal
}

/**
 * Works on an operation, or watches a worker that does, and shows how far it is: a bar on standard error, or a JSON line for
 * each step.
 *
 * @returns null when it was interrupted
 */
export async function followOperation(
  services: Services,
  operation: KeyOperation,
  { doing, output, stop }: Following
): Promise<KeyOperation | null> {
  const [{ runOperation }, { findKeyOperation }] = await Promise.all([
    import('../../jobs/key-operations.js'),
    import('../key-life/key-operations.js')
  ])
  const view = output.json ? new Lines(output) : new Bar(doing, operation)
  try {
    for (let now: KeyOperation | null = operation; now; now = await findKeyOperation(services, operation.id)) {
      view.show(now)
      if (now.finishedAt) return now
      if (stop.aborted) break
      await runOperation(services, operation.id, stop, async (step) => view.show(step))
      const after = await findKeyOperation(services, operation.id)
      if (after?.finishedAt) continue
      // A worker has it, it is paused, or a master key is out of reach.
      await delay(LOOK_EVERY_MS, null, { signal: stop }).catch(() => {})
    }
  } finally {
    view.end()
  }
  output.say(`Interrupted. Workers go on with it, or this command when it is given again (${operation.id}).`)
  return null
}

/** Says how an operation has ended, and has the command end so. */
export function finishedWork(
  operation: KeyOperation | null,
  output: Output,
  words: (operation: KeyOperation) => string
): void {
  if (!operation) return
  output.say(`${operation.state}: ${words(operation)}`)
  if (operation.error) output.say(operation.error)
  if (operation.state !== 'SUCCEEDED') process.exitCode = EXIT.FAILED
}

class Bar {
  readonly #bar: SingleBar

  constructor(doing: string, { total }: KeyOperation) {
    this.#bar = progressBar(doing, '{value}/{total}, {failed} set aside, {note}')
    this.#bar.start(total, 0, { failed: 0, note: 'going on' })
  }

  show({ done, failed, total, error, pausedAt, finishedAt }: KeyOperation): void {
    this.#bar.setTotal(total)
    const note = finishedAt ? 'finished' : pausedAt ? 'paused' : (error ?? 'going on')
    this.#bar.update(done + failed, { failed, note })
  }

  end(): void {
    this.#bar.stop()
  }
}

class Lines {
  readonly #output: Output
  #last = ''

  constructor(output: Output) {
    this.#output = output
  }

  show({ id, kind, state, total, done, failed, error, pausedAt, finishedAt, dryRun }: KeyOperation): void {
    const record = { operation: id, kind, state, dryRun, total, done, failed, error, pausedAt, finishedAt }
    const line = JSON.stringify(record)
    // Looked at again and again while somebody else works on it.
    if (line !== this.#last) this.#output.print(record, null)
    this.#last = line
  }

  end(): void {}
}

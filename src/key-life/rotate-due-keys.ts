import { auditRefusal, requireScope } from '../conversation-key/key-rights.js'
import type { Database, Statement } from '../database/database.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { type KeyOperation, queueOperation } from './key-operations.js'

const COUNT: Statement = {
  name: 'count-due-rotations',
  text: `
    select count(*)::integer as count from conversations
     where key_used and key_rotates_at is not null and deleted_at is null and key_rotates_at <= $1`
}

/** Queues the rotation of every key that is due and used, for an administrator who will not wait for the schedule. */
export async function rotateDueKeys(
  services: Pick<Services, 'database' | 'clock' | 'jobs'>,
  viewer: Viewer
): Promise<KeyOperation> {
  const { database, clock, jobs } = services
  const operation = await auditRefusal(services, viewer, { operation: 'rotateDueKeys' }, async () => {
    requireScope(viewer, 'keys:admin')
    const now = clock.now()
    const total = await countDue(database, now)
    const draft = { kind: 'ROTATE_DUE' as const, actor: viewer.id, conversationId: null, keyVersion: null, total, now }
    return await database.transaction((em) => queueOperation(em, draft))
  })
  jobs.nudge(operation)
  return operation
}

async function countDue(database: Database, now: Date): Promise<number> {
  const [row] = await database.run<{ count: number }>(COUNT, [now])
  return row?.count ?? 0
}

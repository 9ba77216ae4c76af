import type { Statement } from '../src/database/database.js'
import type { Services } from '../src/services.js'

const DROP: Statement = {
  text: `
    delete from exports e
     where e.expires_at <= $1
        or not exists (select from conversations c where c.id = e.conversation_id and c.deleted_at is null)`
}

/** Drops exports that nobody has fetched in time, or whose conversation was deleted. */
export async function dropExports({ database, clock }: Services): Promise<void> {
  await database.run(DROP, [clock.now()])
}

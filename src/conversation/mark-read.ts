import type { Statement } from '../database/database.js'
import { BadUserInput, NotFound } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'

export const MARK_READ: Statement = {
  name: 'mark-read',
  text: `
    with viewed as (
      select c.id, c.last_sequence from conversations c
        join members m on m.conversation_id = c.id and m.user_id = $2
       where c.id = $1 and c.deleted_at is null
    ), marked as (
      update members m set last_read_sequence = greatest(m.last_read_sequence, $3::integer)
        from viewed v
       where m.conversation_id = v.id and m.user_id = $2 and $3::integer <= v.last_sequence
    )
    select last_sequence as "lastSequence" from viewed`
}

/** Marks everything up to `sequence` as read; marks never move back. */
export async function markRead(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  conversationId: string,
  sequence: number
): Promise<void> {
  if (sequence < 0) throw new BadUserInput('sequence', 'A sequence is 0 or more.')
  const [viewed] = await database.run<{ lastSequence: number }>(MARK_READ, [conversationId, viewer.id, sequence])
  if (!viewed) throw new NotFound('conversation')
  if (sequence > viewed.lastSequence) {
    throw new BadUserInput('sequence', `The last message of the conversation has sequence ${viewed.lastSequence}.`)
  }
}

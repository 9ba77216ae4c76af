import {
  AddMembersDocument,
  DeleteMessageDocument,
  EditMessageDocument,
  RenameConversationDocument,
  RotateKeyDocument,
  SendMessageDocument
} from '../../../documents/generated.js'
import type { TestConclave } from '../boot.js'
import { createConversation, send } from '../chat.js'

/** A conversation with something of everything in it: replies, edits, deletions, notices, two key versions. */
export async function chatter(conclave: TestConclave): Promise<string> {
  const alice = await conclave.as('alice', { name: 'Alice' })
  const bob = await conclave.as('bob', { name: 'Bob' })
  const id = await createConversation(alice, ['bob'], { title: 'Ward round' })
  const first = await send(alice, id, 'first, with a line\nbreak and 🙂')
  await bob.run(SendMessageDocument, {
    input: { conversationId: id, body: 'a reply', replyToId: first.id, clientMessageId: 'bob-1' }
  })
  const edited = await send(bob, id, 'will be edited')
  await bob.run(EditMessageDocument, { messageId: edited.id, body: 'was edited' })
  await bob.run(EditMessageDocument, { messageId: edited.id, body: 'was edited twice' })
  const deleted = await send(alice, id, 'will be deleted')
  await alice.run(DeleteMessageDocument, { messageId: deleted.id })
  await alice.run(RotateKeyDocument, { conversationId: id })
  await alice.run(AddMembersDocument, { conversationId: id, userIds: ['carol'] })
  await alice.run(RenameConversationDocument, { conversationId: id, title: 'Ward round, east' })
  for (let count = 0; count < 30; count++)
    await send(count % 2 ? alice : bob, id, `message ${count} ${'x'.repeat(count * 100)}`)
  return id
}

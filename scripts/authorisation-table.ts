/**
 * Who may do and see what: the authorisation of this server in one table. test/flow/authorisation-matrix.test.ts tries
 * every cell on a running server, and docs/authorisation.md shows it (scripts/authorisation.ts).
 */

/** In the order of the table's columns. All but the last two and the stranger have to do with the same conversation. */
export const ACTORS = [
  'no token',
  'expired token',
  'stranger',
  'removed member',
  'member',
  'moderator',
  'owner',
  'keys:read',
  'keys:admin'
] as const

export type Actor = (typeof ACTORS)[number]

/**
 * `ok` for what is done or shown; `null` for an answer of nothing; `own` for an answer about what is the asker's own,
 * with nothing of the conversation in it; `4403` for a socket that is closed with that code; otherwise the code of the
 * error.
 */
export type Outcome = 'ok' | 'null' | 'own' | '4403' | 'UNAUTHENTICATED' | 'FORBIDDEN' | 'NOT_FOUND'

/**
 * What it is about, as `Type.field`; what is asked, `$` before what belongs to the conversation that it is tried on;
 * and what each of the actors gets.
 */
export type Row = readonly [about: string, asked: string, ...outcomes: Outcome[]]

// Short, so that a row is a line.
const ok = 'ok'
const none = 'null'
const own = 'own'
const shut = '4403'
const TOKEN = 'UNAUTHENTICATED'
const FORBID = 'FORBIDDEN'
const ABSENT = 'NOT_FOUND'

/** Every query, mutation and subscription; `Query.node` for every type that has an id of its own. */
// biome-ignore format: a row is a line
export const OPERATIONS: readonly Row[] = [
  //                                                                                                                             no     expired stranger removed member  moderat. owner keys:read keys:admin
  ['Query.viewer', 'viewer { id }',                                                                                              TOKEN, TOKEN, ok,     ok,     ok,     ok,     ok,     ok,     ok],
  ['Query.conversation', 'conversation(id: $conversation) { id }',                                                               TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Query.conversations', 'conversations(first: 50) { nodes { id } }',                                                           TOKEN, TOKEN, own,    own,    ok,     ok,     ok,     own,    own],
  ['Query.node: Conversation', 'node(id: $conversation) { __typename id }',                                                      TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Query.node: Message', 'node(id: $message) { __typename id }',                                                                TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Query.node: User', 'node(id: $other) { __typename id }',                                                                     TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Query.node: KeyOperation', 'node(id: $operation) { __typename id }',                                                         TOKEN, TOKEN, none,   none,   none,   none,   none,   ok,     ok],
  ['Query.conversationKeys', 'conversationKeys(conversationId: $conversation) { version }',                                      TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, ok,     ok],
  ['Query.conversationKeyPolicy', 'conversationKeyPolicy(conversationId: $conversation) { rotateOnMemberRemoval }',              TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, ok,     ok],
  ['Query.dueRotations', 'dueRotations { overdue }',                                                                             TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, ok,     ok],
  ['Query.keyEvents', 'keyEvents(conversationId: $conversation) { nodes { action } }',                                           TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, ok,     ok],
  ['Query.keyHealth', 'keyHealth { activeKeys }',                                                                                TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, ok,     ok],
  ['Query.keyInventory', 'keyInventory { nodes { conversationId } }',                                                            TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, ok,     ok],
  ['Query.keyOperation', 'keyOperation(id: $operation) { state }',                                                               TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, ok,     ok],
  ['Query.keyOperations', 'keyOperations { state }',                                                                             TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, ok,     ok],
  ['Query.storedMessage', 'storedMessage(id: $message) { dataKeyId }',                                                           TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Query.verifyKeyEvents', 'verifyKeyEvents { valid }',                                                                         TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, ok,     ok],
  ['Mutation.createConversation', 'createConversation(input: { memberIds: [] }) { conversation { id } }',                        TOKEN, TOKEN, ok,     ok,     ok,     ok,     ok,     ok,     ok],
  ['Mutation.addMembers', 'addMembers(conversationId: $conversation, userIds: ["nora"]) { conversation { id } }',                TOKEN, TOKEN, ABSENT, ABSENT, FORBID, FORBID, ok,     ABSENT, ABSENT],
  ['Mutation.removeMember', 'removeMember(conversationId: $conversation, userId: $other) { conversation { id } }',               TOKEN, TOKEN, ABSENT, ABSENT, FORBID, ok,     ok,     ABSENT, ABSENT],
  ['Mutation.setMemberRole', 'setMemberRole(conversationId: $conversation, userId: $other, role: MODERATOR) { conversation { id } }', TOKEN, TOKEN, ABSENT, ABSENT, FORBID, FORBID, ok, ABSENT, ABSENT],
  ['Mutation.leaveConversation', 'leaveConversation(conversationId: $twoOwners)',                                                TOKEN, TOKEN, ABSENT, ABSENT, ok,     ok,     ok,     ABSENT, ABSENT],
  ['Mutation.renameConversation', 'renameConversation(conversationId: $conversation, title: "Else") { conversation { id } }',    TOKEN, TOKEN, ABSENT, ABSENT, FORBID, FORBID, ok,     ABSENT, ABSENT],
  ['Mutation.deleteConversation', 'deleteConversation(conversationId: $conversation)',                                           TOKEN, TOKEN, ABSENT, ABSENT, FORBID, FORBID, ok,     ABSENT, ABSENT],
  ['Mutation.sendMessage', 'sendMessage(input: { conversationId: $conversation, body: "more" }) { message { id } }',             TOKEN, TOKEN, ABSENT, ABSENT, ok,     ok,     ok,     ABSENT, ABSENT],
  ['Mutation.editMessage', 'editMessage(messageId: $message, body: "else") { message { id } }',                                  TOKEN, TOKEN, ABSENT, ABSENT, ok,     FORBID, FORBID, ABSENT, ABSENT],
  ['Mutation.editMessage', 'editMessage(messageId: $ofOther, body: "else") { message { id } }',                                  TOKEN, TOKEN, ABSENT, ABSENT, FORBID, FORBID, FORBID, ABSENT, ABSENT],
  ['Mutation.editMessage', 'editMessage(messageId: $ofRemoved, body: "else") { message { id } }',                                TOKEN, TOKEN, ABSENT, ABSENT, FORBID, FORBID, FORBID, ABSENT, ABSENT],
  ['Mutation.deleteMessage', 'deleteMessage(messageId: $message) { message { id } }',                                            TOKEN, TOKEN, ABSENT, ABSENT, ok,     ok,     ok,     ABSENT, ABSENT],
  ['Mutation.deleteMessage', 'deleteMessage(messageId: $ofOther) { message { id } }',                                            TOKEN, TOKEN, ABSENT, ABSENT, FORBID, ok,     ok,     ABSENT, ABSENT],
  ['Mutation.deleteMessage', 'deleteMessage(messageId: $ofRemoved) { message { id } }',                                          TOKEN, TOKEN, ABSENT, ABSENT, FORBID, ok,     ok,     ABSENT, ABSENT],
  ['Mutation.markRead', 'markRead(conversationId: $conversation, sequence: 1) { conversation { id } }',                          TOKEN, TOKEN, ABSENT, ABSENT, ok,     ok,     ok,     ABSENT, ABSENT],
  ['Mutation.setTyping', 'setTyping(conversationId: $conversation, typing: true)',                                               TOKEN, TOKEN, ABSENT, ABSENT, ok,     ok,     ok,     ABSENT, ABSENT],
  ['Mutation.rotateKey', 'rotateKey(conversationId: $conversation) { conversationId }',                                          TOKEN, TOKEN, ABSENT, ABSENT, FORBID, FORBID, ok,     ABSENT, ok],
  ['Mutation.setKeyPolicy', 'setKeyPolicy(conversationId: $conversation, policy: { rotateAfter: "P1D" }) { conversationId }',    TOKEN, TOKEN, ABSENT, ABSENT, FORBID, FORBID, ok,     ABSENT, ok],
  ['Mutation.markKeyCompromised', 'markKeyCompromised(conversationId: $conversation, version: 1) { conversationId }',            TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, FORBID, ok],
  ['Mutation.scheduleKeyDestruction', 'scheduleKeyDestruction(conversationId: $conversation, version: 1) { conversationId }',    TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, FORBID, ok],
  ['Mutation.cancelKeyDestruction', 'cancelKeyDestruction(conversationId: $scheduled, version: 1) { conversationId }',           TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, FORBID, ok],
  ['Mutation.reencryptConversation', 'reencryptConversation(conversationId: $conversation, fromVersion: 1) { operation { id } }', TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, FORBID, ok],
  ['Mutation.rotateDueKeys', 'rotateDueKeys { operation { id } }',                                                               TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, FORBID, ok],
  ['Mutation.rewrapPrivateKeys', 'rewrapPrivateKeys { operation { id } }',                                                       TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, FORBID, ok],
  ['Mutation.pauseKeyOperation', 'pauseKeyOperation(id: $operation) { operation { id } }',                                       TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, FORBID, ok],
  ['Mutation.resumeKeyOperation', 'resumeKeyOperation(id: $paused) { operation { id } }',                                        TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, FORBID, ok],
  ['Mutation.cancelKeyOperation', 'cancelKeyOperation(id: $operation) { operation { id } }',                                     TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, FORBID, ok],
  ['Query.conversationExport', 'conversationExport(id: $export) { id }',                                                         TOKEN, TOKEN, none,   none,   none,   none,   ok,     none,   none],
  ['Mutation.exportConversation', 'exportConversation(conversationId: $conversation, publicKeyPem: $recipientKey) { export { id } }', TOKEN, TOKEN, ABSENT, ABSENT, FORBID, FORBID, ok, ABSENT, ABSENT],
  ['Mutation.devToken', 'devToken(userId: "anybody") { expiresAt }',                                                             ok,    TOKEN, ok,     ok,     ok,     ok,     ok,     ok,     ok],
  ['Subscription.messageEvents', 'messageEvents(conversationId: $conversation, after: $cursor) { cursor }',                      shut,  shut,  ABSENT, ABSENT, ok,     ok,     ok,     ABSENT, ABSENT],
  ['Subscription.inboxEvents', 'inboxEvents(resume: [{ conversationId: $conversation, after: $cursor }], fromJoining: true) { message { conversation { id } } }', shut, shut, own, own, ok, ok, ok, own, own],
  ['Subscription.membershipEvents', 'membershipEvents { joined left read }',                                                     shut,  shut,  own,    own,    own,    own,    own,    own,    own],
  ['Subscription.activity', 'activity(conversationId: $conversation) { __typename }',                                            shut,  shut,  ABSENT, ABSENT, ok,     ok,     ok,     ABSENT, ABSENT],
  ['Subscription.conversationExportProgress', 'conversationExportProgress(id: $export) { state }',                               shut,  shut,  ABSENT, ABSENT, ABSENT, ABSENT, ok,     ABSENT, ABSENT],
  ['Subscription.keyOperationProgress', 'keyOperationProgress(id: $operation) { state }',                                        shut,  shut,  FORBID, FORBID, FORBID, FORBID, FORBID, ok,     ok]
]

/** Fields that hold what somebody wrote, who somebody is, or how keys stand; and those that do not show all the same. */
// biome-ignore format: a row is a line
export const FIELDS: readonly Row[] = [
  //                                                                                                                             no     expired stranger removed member  moderat. owner keys:read keys:admin
  ['Conversation.title', 'conversation(id: $conversation) { title }',                                                            TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Conversation.members', 'conversation(id: $conversation) { members { totalCount } }',                                         TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Conversation.messages', 'conversation(id: $conversation) { messages(last: 5) { totalCount } }',                              TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Conversation.lastMessage', 'conversation(id: $conversation) { lastMessage { id } }',                                         TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Conversation.unreadCount', 'conversation(id: $conversation) { unreadCount }',                                                TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Conversation.viewerRole', 'conversation(id: $conversation) { viewerRole }',                                                  TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Conversation.eventCursor', 'conversation(id: $conversation) { eventCursor }',                                                TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Conversation.keyPolicy', 'conversation(id: $conversation) { keyPolicy { rotateOnMemberRemoval } }',                          TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Conversation.keys', 'conversation(id: $conversation) { keys { version } }',                                                  TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Conversation.activeKey', 'conversation(id: $conversation) { activeKey { version } }',                                        TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Conversation.activeKey', 'conversations(first: 50) { nodes { id activeKey { version } } }',                                  TOKEN, TOKEN, own,    own,    ok,     ok,     ok,     own,    own],
  ['ConversationEdge.cursor', 'conversations(first: 50) { edges { cursor node { id } } }',                                       TOKEN, TOKEN, own,    own,    ok,     ok,     ok,     own,    own],
  ['Member.user', 'conversation(id: $conversation) { members { nodes { user { id } } } }',                                       TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Member.lastReadSequence', 'conversation(id: $conversation) { members { nodes { lastReadSequence } } }',                      TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['User.name', 'conversation(id: $conversation) { members { nodes { user { name } } } }',                                       TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['User.name', 'node(id: $other) { ... on User { name } }',                                                                     TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Message.body', 'conversation(id: $conversation) { messages(last: 5) { nodes { body } } }',                                   TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Message.body', 'conversations(first: 50) { nodes { id lastMessage { body } } }',                                             TOKEN, TOKEN, own,    own,    ok,     ok,     ok,     own,    own],
  ['Message.body', 'node(id: $message) { ... on Message { body } }',                                                             TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Message.body', 'node(id: $ofRemoved) { ... on Message { body } }',                                                           TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Message.body', 'messageEvents(conversationId: $conversation, after: $cursor) { message { body } }',                          shut,  shut,  ABSENT, ABSENT, ok,     ok,     ok,     ABSENT, ABSENT],
  ['Message.sender', 'node(id: $message) { ... on Message { sender { id } } }',                                                  TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['StoredMessage.envelope', 'storedMessage(id: $message) { envelope { ciphertext } }',                                          TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['StoredMessage.envelope', 'storedMessage(id: $ofRemoved) { envelope { ciphertext } }',                                        TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['StoredMessage.wrappedDataKey', 'storedMessage(id: $message) { wrappedDataKey }',                                             TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Message.replyTo', 'node(id: $reply) { ... on Message { replyTo { body } } }',                                                TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['Message.conversation', 'node(id: $message) { ... on Message { conversation { title } } }',                                   TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['ConversationKey.publicKeyPem', 'conversation(id: $conversation) { keys { publicKeyPem } }',                                  TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['ConversationKey.publicKeyPem', 'conversationKeys(conversationId: $conversation) { publicKeyPem }',                           TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, ok,     ok],
  ['ConversationKey.messageCount', 'conversation(id: $conversation) { keys { messageCount } }',                                  TOKEN, TOKEN, none,   none,   ok,     ok,     ok,     none,   none],
  ['ConversationKey.messageCount', 'conversationKeys(conversationId: $conversation) { messageCount }',                           TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, ok,     ok],
  ['ConversationKey.masterKey', 'conversation(id: $conversation) { keys { masterKey } }',                                        TOKEN, TOKEN, none,   none,   none,   none,   none,   none,   none],
  ['ConversationKey.masterKey', 'conversationKeys(conversationId: $conversation) { masterKey }',                                 TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, ok,     ok],
  ['ConversationKey.masterKey', 'keyInventory { nodes { key { masterKey } } }',                                                  TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, ok,     ok],
  ['ConversationKey.masterKey', 'rotateKey(conversationId: $conversation) { key { masterKey } }',                                TOKEN, TOKEN, ABSENT, ABSENT, FORBID, FORBID, none,   ABSENT, ok],
  ['KeyInventoryEntry.conversationId', 'keyInventory { nodes { conversationId } }',                                              TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, ok,     ok],
  ['KeyEvent.actor', 'keyEvents(conversationId: $conversation) { nodes { actor } }',                                             TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, ok,     ok],
  ['KeyEvent.conversationId', 'keyEvents { nodes { conversationId } }',                                                          TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, ok,     ok],
  ['KeyEvent.detail', 'keyEvents(conversationId: $conversation) { nodes { detail } }',                                           TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, ok,     ok],
  ['MasterKey.uri', 'keyHealth { masterKeys { uri } }',                                                                          TOKEN, TOKEN, FORBID, FORBID, FORBID, FORBID, FORBID, ok,     ok],
  ['TypingActivity.user', 'activity(conversationId: $conversation) { ... on TypingActivity { user { id } } }',                   shut,  shut,  ABSENT, ABSENT, ok,     ok,     ok,     ABSENT, ABSENT],
  ['DevToken.token', 'devToken(userId: "anybody") { token }',                                                                    ok,    TOKEN, ok,     ok,     ok,     ok,     ok,     ok,     ok]
]

/** Fields that everybody gets alike who gets the object that they belong to, by type. */
export const AS_THEIR_PARENT: Readonly<Record<string, string>> = {
  AuditVerification: 'checked firstInvalidSequence valid',
  Conversation: 'createdAt historyVisibility id',
  ConversationConnection: 'edges nodes pageInfo totalCount',
  ConversationEdge: 'node',
  ConversationExport: 'conversationId createdAt done error expiresAt finishedAt id path state total',
  ConversationExportPayload: 'export',
  ConversationKey:
    'activatedAt algorithm createdAt deactivatedAt destroyedAt destroysAt fingerprint modulusBits rotatesAt rotationReason state version',
  ConversationPayload: 'conversation',
  DevToken: 'expiresAt',
  DueRotations: 'days later overdue',
  KeyEvent: 'action at hash keyVersion sequence',
  KeyEventConnection: 'edges nodes pageInfo totalCount',
  KeyEventEdge: 'cursor node',
  KeyHealth: 'activeKeys compromisedKeys masterKeys overdueDestructions overdueRotations pooledKeys',
  KeyInventoryConnection: 'edges nodes pageInfo totalCount',
  KeyInventoryEdge: 'cursor node',
  KeyInventoryEntry: 'key',
  KeyOperation: 'createdAt done dryRun error failed finishedAt id kind pausedAt startedAt state target total',
  KeyOperationPayload: 'operation',
  KeyPayload: 'conversationId key',
  KeyPolicy: 'destroyAfter rotateAfter rotateAfterMessages rotateOnMemberRemoval',
  KeyPolicyPayload: 'conversationId keyPolicy',
  MasterKey: 'current reachable safeToRetire wrappedKeyCount',
  Member: 'joinedAt role',
  MemberConnection: 'edges nodes pageInfo totalCount',
  MemberEdge: 'cursor node',
  MembershipEvent: 'joined left read',
  Message: 'clientMessageId createdAt deletedAt editedAt id keyVersion kind sequence status',
  MessageConnection: 'edges nodes pageInfo totalCount',
  MessageEdge: 'cursor node',
  MessageEvent: 'cursor message type',
  MessagePayload: 'message',
  PageInfo: 'endCursor hasNextPage hasPreviousPage startCursor',
  ReadActivity: 'sequence user',
  ReadPayload: 'conversation',
  StoredEnvelope: 'ciphertext format nonce suite suiteName tag',
  StoredMessage: 'dataKeyId keyState keyVersion revision',
  TypingActivity: 'typing',
  User: 'id'
}

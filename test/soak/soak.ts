import { CreateConversationDocument, MessagesDocument } from '../../documents/generated.js'
import { systemClock } from '../../src/clock.js'
import { signToken } from '../../src/identity/sign-token.js'
import { readBack } from '../support/chat.js'
import { GraphQLClient } from '../support/graphql-client.js'
import { type Acknowledged, type Seen, Sender, Subscriber } from './clients.js'
import { Deployment, JWT_SECRET } from './deployment.js'
import { type Random, randomFrom } from './random.js'

export interface SoakPlan {
  messages: number
  senders: number
  subscribers: number
  apiKills: number
  redisKills: number
  postgresRestarts: number
  cutSockets: number
}

/** Who has got nothing for so long gets nothing more. */
const QUIET_MS = 15_000

/** What every message says in the end, by its id. */
type Log = Map<string, string | null>

export interface SoakReport {
  /** As many as there are to a sender, for each of them. */
  acknowledged: number
  retries: number
  connections: number
  /** Each with what is wrong with it; none are what is wanted. */
  problems: string[]
}

/**
 * Senders send, edit and delete, subscribers follow, while processes are killed, stores restarted and sockets cut, at
 * moments that the seed decides. In the end every subscriber must have exactly the log, and the log what was acknowledged.
 */
export async function soak(plan: SoakPlan, seed: string): Promise<SoakReport> {
  const random = randomFrom(seed)
  const deployment = await Deployment.start()
  const subscribers: Subscriber[] = []
  try {
    const { conversationId, cursor, owner } = await beginConversation(deployment, plan)
    const token = await tokenOf('reader 0')
    for (let count = 0; count < plan.subscribers; count++) {
      subscribers.push(new Subscriber(deployment.urls, token, randomFrom(`${seed} subscriber ${count}`), cursor))
    }
    const following = subscribers.map((one, index) => one.follow(conversationId, index % 2 ? 'INBOX' : 'ALONE'))
    const senders = await Promise.all(
      Array.from({ length: plan.senders }, async (_, index) => {
        return new Sender(deployment.urls, await tokenOf(`sender ${index}`), randomFrom(`${seed} sender ${index}`))
      })
    )
    const share = Math.ceil(plan.messages / plan.senders)
    const sending = senders.map((sender, index) => sender.send(conversationId, `sender ${index}`, share))
    await Promise.all([...sending, pullPlugs(deployment, plan, random, () => share * plan.senders - countOf(senders))])
    const log = await readLog(owner, conversationId)
    const problems = [
      ...wrongInLog(
        log,
        senders.map(({ acknowledged }) => acknowledged)
      ),
      ...(await wrongAtSubscribers(subscribers, log))
    ]
    for (const subscriber of subscribers) subscriber.stop()
    await Promise.all(following)
    return {
      acknowledged: countOf(senders),
      retries: senders.reduce((sum, { retried }) => sum + retried, 0),
      connections: subscribers.reduce((sum, { connections }) => sum + connections, 0),
      problems: problems.length > 0 ? [...problems.slice(0, 20), deployment.output] : []
    }
  } finally {
    for (const subscriber of subscribers) subscriber.stop()
    await deployment.stop()
  }
}

async function beginConversation(deployment: Deployment, { senders }: SoakPlan) {
  const [url = ''] = deployment.urls
  const owner = new GraphQLClient(url, await tokenOf('owner'))
  const memberIds = ['reader 0', ...Array.from({ length: senders }, (_, index) => `sender ${index}`)]
  const { createConversation } = await owner.run(CreateConversationDocument, { input: { memberIds } })
  const conversationId = createConversation.conversation.id
  const { conversation } = await owner.run(MessagesDocument, { id: conversationId, last: 1 })
  return { conversationId, owner, cursor: conversation?.eventCursor ?? '' }
}

async function tokenOf(userId: string): Promise<string> {
  const settings = { jwtSecret: JWT_SECRET, jwksUrl: null, issuer: null, audience: null }
  return (await signToken(settings, systemClock, { userId, name: undefined, scopes: [] })).token
}

/** Spreads the failures over the messages that are still to be sent, in an order that the seed decides. */
async function pullPlugs(deployment: Deployment, plan: SoakPlan, random: Random, left: () => number): Promise<void> {
  const failures = [
    ...Array.from({ length: plan.apiKills }, (_, index) => () => deployment.killApi(index)),
    ...Array.from({ length: plan.redisKills }, () => () => deployment.killRedis()),
    ...Array.from({ length: plan.postgresRestarts }, () => () => deployment.restartPostgres()),
    ...Array.from({ length: plan.cutSockets }, () => async () => deployment.cutSocket(random()))
  ]
  const order = failures.map((fail) => ({ fail, at: Math.floor(random() * plan.messages * 0.95) }))
  for (const { fail, at } of order.sort((a, b) => a.at - b.at)) {
    while (plan.messages - left() < at) await new Promise((resolve) => setTimeout(resolve, 20))
    await fail()
  }
}

function countOf(senders: Sender[]): number {
  return senders.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0)
}

async function readLog(owner: GraphQLClient, conversationId: string): Promise<Log> {
  const messages = await readBack(owner, conversationId)
  messages.forEach(({ sequence }, index) => {
    if (sequence !== index + 1) throw new Error(`sequence ${sequence} at place ${index + 1}`)
  })
  return new Map(messages.map(({ id, body }) => [id, body]))
}

function wrongInLog(log: Log, acknowledged: Acknowledged[]): string[] {
  const expected = new Map(acknowledged.flatMap((one) => [...one]))
  const wrong = [...expected].flatMap(([id, body]) => {
    if (!log.has(id)) return [`acknowledged and lost: ${body}`]
    return log.get(id) === body ? [] : [`acknowledged as ${body}, and stored as ${log.get(id)}`]
  })
  const more = [...log.keys()].filter((id) => !expected.has(id))
  return more.length === 0 ? wrong : [...wrong, `stored and never acknowledged: ${more.length}`]
}

/** Waits until all of them have the last state of every message, and says who has something else. */
async function wrongAtSubscribers(subscribers: Subscriber[], log: Log): Promise<string[]> {
  const isThere = ({ seen }: Subscriber) => stateOf(seen).size === log.size && differences(stateOf(seen), log) === 0
  const seenByAll = () => subscribers.reduce((sum, { seen }) => sum + seen.length, 0)
  // As long as something arrives: how fast is not what this is about.
  for (let before = -1; !subscribers.every(isThere) && seenByAll() > before; ) {
    before = seenByAll()
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
  }
  return subscribers.flatMap(({ seen }, index) => {
    const state = stateOf(seen)
    const unordered = seen.filter(({ change }, place) => place > 0 && change <= (seen[place - 1]?.change ?? 0)).length
    const [missing, different] = [log.size - state.size, differences(state, log)]
    if (missing === 0 && different === 0 && unordered === 0) return []
    return [`subscriber ${index}: ${missing} missing, ${different} different, ${unordered} repeated or out of order`]
  })
}

function stateOf(seen: Seen[]): Map<string, string | null> {
  return new Map(seen.map(({ id, body }) => [id, body]))
}

function differences(state: Map<string, string | null>, log: Log): number {
  return [...log].filter(([id, body]) => state.has(id) && state.get(id) !== body).length
}

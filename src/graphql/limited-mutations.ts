import type { GraphQLSchema } from 'graphql'
import type { Limited } from '../rate-limits/rate-limits.js'
import type { Context } from './context.js'

/** What each mutation counts as. Null: it has a limit of its own, or is there in development only. */
const LIMITED: Record<string, Limited | null> = {
  sendMessage: 'SENDS',
  editMessage: 'SENDS',
  deleteMessage: 'SENDS',
  markRead: 'MARKS',
  setTyping: null,
  createConversation: 'CREATES',
  addMembers: 'CREATES',
  removeMember: 'CREATES',
  setMemberRole: 'CREATES',
  leaveConversation: 'CREATES',
  renameConversation: 'CREATES',
  deleteConversation: 'CREATES',
  rotateKey: 'KEY_OPERATIONS',
  setKeyPolicy: 'KEY_OPERATIONS',
  reencryptConversation: 'KEY_OPERATIONS',
  markKeyCompromised: 'KEY_OPERATIONS',
  scheduleKeyDestruction: 'KEY_OPERATIONS',
  cancelKeyDestruction: 'KEY_OPERATIONS',
  rotateDueKeys: 'KEY_OPERATIONS',
  rewrapPrivateKeys: 'KEY_OPERATIONS',
  pauseKeyOperation: 'KEY_OPERATIONS',
  resumeKeyOperation: 'KEY_OPERATIONS',
  cancelKeyOperation: 'KEY_OPERATIONS',
  exportConversation: 'KEY_OPERATIONS',
  devToken: null
}

/**
 * Has every mutation ask first whether its user may do it that often, whatever transport it comes over.
 *
 * @throws Error for a mutation of which nobody has said what it counts as
 */
export function limitMutations(schema: GraphQLSchema): GraphQLSchema {
  for (const field of Object.values(schema.getMutationType()?.getFields() ?? {})) {
    const limited = LIMITED[field.name]
    if (limited === undefined) throw new Error(`say in limited-mutations.ts what ${field.name} counts as`)
    const { resolve } = field
    if (limited === null || !resolve) continue
    field.resolve = async (source, args, context: Context, info) => {
      const { viewer, address, services } = context
      if (viewer) await services.rateLimits.require(limited, viewer, address)
      return await resolve(source, args, context, info)
    }
  }
  return schema
}

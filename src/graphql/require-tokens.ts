import type { GraphQLFieldResolver, GraphQLSchema } from 'graphql'
import { type Context, requireViewer } from './context.js'

/** For those who have no token yet. */
const WITHOUT_TOKEN: readonly string[] = ['devToken']

/**
 * Has every query, mutation and subscription refuse whoever has no token before it looks at anything, its arguments
 * included. An operation that is new is refused as well, whatever its resolver does.
 */
export function requireTokens(schema: GraphQLSchema): GraphQLSchema {
  for (const type of [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]) {
    for (const field of Object.values(type?.getFields() ?? {})) {
      if (WITHOUT_TOKEN.includes(field.name)) continue
      // An event of a subscription may be made for all who have subscribed to the same: nobody's in particular.
      if (field.subscribe) field.subscribe = afterToken(field.subscribe)
      else if (field.resolve) field.resolve = afterToken(field.resolve)
    }
  }
  return schema
}

function afterToken(resolve: GraphQLFieldResolver<unknown, Context>): GraphQLFieldResolver<unknown, Context> {
  return (source, args, context, info) => {
    requireViewer(context)
    return resolve(source, args, context, info)
  }
}

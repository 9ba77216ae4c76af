import { GraphQLError, GraphQLScalarType, Kind } from 'graphql'
import { GraphQLDateTimeISO } from 'graphql-scalars'

/** RFC 3339 instant, UTC. */
export const DateTime = new GraphQLScalarType({
  ...GraphQLDateTimeISO.toConfig(),
  name: 'DateTime',
  description: 'An instant as RFC 3339 has it, in UTC.'
})

/** Kept as its text: what a duration may be depends on what it is for, and is checked there. */
export const Duration = new GraphQLScalarType<string, string>({
  name: 'Duration',
  description: 'A duration as ISO 8601 has it: "P30D", "PT15M".',
  specifiedByURL: 'https://www.iso.org/iso-8601-date-and-time-format.html',
  serialize: (value) => requireText(value),
  parseValue: (value) => requireText(value),
  parseLiteral: (node) => requireText(node.kind === Kind.STRING ? node.value : null)
})

function requireText(value: unknown): string {
  if (typeof value !== 'string') throw new GraphQLError('A duration is a text, such as "P30D".')
  return value
}

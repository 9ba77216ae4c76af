import { Field, ID, InterfaceType } from 'type-graphql'

/** An object with an id of its own; `__typename` tells which. */
@InterfaceType('Node', { resolveType: (value: { __typename: string }) => value.__typename })
export abstract class NodeType {
  @Field(() => ID)
  id!: string
}

import { type ClassType, Field, Int, ObjectType } from 'type-graphql'
import { WEIGHT } from './weights.js'

@ObjectType()
export class PageInfo {
  @Field(() => Boolean)
  hasNextPage!: boolean

  @Field(() => Boolean)
  hasPreviousPage!: boolean

  @Field(() => String, { nullable: true })
  startCursor!: string | null

  @Field(() => String, { nullable: true })
  endCursor!: string | null
}

export interface Edge<Node> {
  cursor: string
  node: Node
}

/** A page of a list, as the Relay connections specification has it. */
export interface Connection<Node> {
  edges: Edge<Node>[]
  pageInfo: PageInfo
  /** Counted only where it is asked for. */
  count: () => Promise<number>
}

/** Declares the connection and edge types of a list; a list's types differ in names only. */
export function connectionTypes<Node extends object>(name: string, nodeType: () => ClassType<Node>) {
  @ObjectType(`${name}Edge`)
  class EdgeType {
    @Field(() => String)
    cursor!: string

    @Field(nodeType)
    node!: Node
  }

  @ObjectType(`${name}Connection`)
  class ConnectionType implements Connection<Node> {
    @Field(() => [EdgeType])
    edges!: EdgeType[]

    @Field(() => [nodeType()], { name: 'nodes' })
    nodes(): Node[] {
      return this.edges.map((edge) => edge.node)
    }

    @Field(() => PageInfo)
    pageInfo!: PageInfo

    @Field(() => Int, { complexity: WEIGHT.count })
    totalCount(): Promise<number> {
      return this.count()
    }

    count!: () => Promise<number>

    static of(connection: Connection<Node>): ConnectionType {
      return Object.assign(new ConnectionType(), connection)
    }
  }

  return ConnectionType
}

export interface PageOf<Node> {
  nodes: Node[]
  hasNextPage: boolean
  hasPreviousPage: boolean
}

export function toConnection<Node>(
  page: PageOf<Node>,
  cursorOf: (node: Node) => string,
  count: () => Promise<number>
): Connection<Node> {
  // Written only where it is asked for: on a page of fifty that is most of the time not at all.
  const edges = page.nodes.map((node) => ({
    node,
    get cursor() {
      return cursorOf(node)
    }
  }))
  const { hasNextPage, hasPreviousPage } = page
  const pageInfo = {
    hasNextPage,
    hasPreviousPage,
    startCursor: edges[0]?.cursor ?? null,
    endCursor: edges.at(-1)?.cursor ?? null
  }
  return { edges, pageInfo, count }
}

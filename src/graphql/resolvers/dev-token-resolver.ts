import { Arg, Ctx, ID, Mutation, Resolver } from 'type-graphql'
import { signToken } from '../../identity/sign-token.js'
import { requireUserId } from '../../identity/user-id.js'
import type { Context } from '../context.js'
import { DevToken } from '../types/dev-token.js'

/** Part of the schema in development only. */
@Resolver()
export class DevTokenResolver {
  @Mutation(() => DevToken, { description: 'A bearer token for any user. Development mode only.' })
  async devToken(
    @Ctx() { services }: Context,
    @Arg('userId', () => ID) userId: string,
    @Arg('name', () => String, { nullable: true }) name: string | null,
    @Arg('scopes', () => [String], { nullable: true, defaultValue: [] }) scopes: string[] | null
  ): Promise<DevToken> {
    const claims = { userId: requireUserId('userId', userId), scopes: scopes ?? [], name: name ?? undefined }
    return await signToken(services.authentication, services.clock, claims)
  }
}

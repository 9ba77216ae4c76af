import { Arg, Ctx, ID, Mutation, Resolver } from 'type-graphql'
import { BadUserInput } from '../../errors.js'
import { scopeProblem } from '../../identity/scopes.js'
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
    const problem = scopeProblem(claims.scopes)
    if (problem) throw new BadUserInput('scopes', problem)
    return await signToken(services.authentication, services.clock, claims)
  }
}

import { ArgsType, Field, Int } from 'type-graphql'
import type { KeyRange } from '../conversation-key/list-keys.js'
import type { ConversationKey } from '../database/entities.js'
import { QueryTooComplex } from '../errors.js'
import { MAX_PAGE, requireOneSize } from './page-size.js'

/** Of a list that is asked for without a page size: what it costs (see cost-limit.ts). */
export const WHOLE_UP_TO_A_PAGE = { itemsWithoutSize: MAX_PAGE }

export const DESCRIPTION_OF_KEYS = `Ascending by version: the \`first\` after version \`afterVersion\`, or the \`last\` before version \`beforeVersion\`. Without a size all that lie between, which is refused where they are more than ${MAX_PAGE}.`

/** Which versions of a conversation's key are asked for. */
@ArgsType()
export class KeyVersions {
  @Field(() => Int, { nullable: true })
  first?: number | null

  @Field(() => Int, { nullable: true })
  afterVersion?: number | null

  @Field(() => Int, { nullable: true })
  last?: number | null

  @Field(() => Int, { nullable: true })
  beforeVersion?: number | null

  /**
   * @throws BadUserInput for two sizes, or for one that is none of a page
   * @throws QueryTooComplex for more than a page of them without a size: part of a list is not taken for all of it
   */
  async read(list: (range: KeyRange) => Promise<ConversationKey[]>): Promise<ConversationKey[]> {
    const between = { after: this.afterVersion ?? null, before: this.beforeVersion ?? null }
    if (this.first != null || this.last != null)
      return await list({ ...requireOneSize(this.first, this.last), ...between })
    const found = await list({ size: MAX_PAGE + 1, from: 'START', ...between })
    if (found.length > MAX_PAGE) throw new QueryTooComplex('keys', MAX_PAGE, found.length)
    return found
  }
}

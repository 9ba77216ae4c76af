import type { EntityManager } from '@mikro-orm/postgresql'
import { runIn } from '../database/database.js'

/** Where private keys are moved to. */
export interface RewrapTarget {
  uri: string
  /** The key service's own version; null where there are none. */
  version: string | null
}

export interface KeyToRewrap {
  conversationId: string
  version: number
  keyId: string
  publicKey: Buffer
  wrappedPrivateKey: Buffer
}

/** Some keys under one version of one master key, in the order of their primary key. */
export interface KeysToRewrap {
  masterKey: string
  keys: KeyToRewrap[]
  /** Behind the last of them. @param size of the next step */
  positionBehind(size: number): string
  /** Counts all that are left under this version of the master key, and goes on behind them. */
  passOver(em: EntityManager): Promise<{ failed: number; position: string }>
}

/** Master key, its version, the key last looked at below them; and how many keys the next step takes. */
type Position = [masterKey: string, masterKeyVersion: string, conversationId: string, version: number, size: number]

/** Keys of one step at most, and of the first. */
export const STEP_MAX = 200

const BEGINNING: Position = ['', '', '00000000-0000-0000-0000-000000000000', 0, STEP_MAX]
const END_OF_GROUP = ['ffffffff-ffff-ffff-ffff-ffffffffffff', 2 ** 31 - 1] as const

const KEYS = {
  text: `
    select conversation_id as "conversationId", version, key_id as "keyId", public_key as "publicKey",
           wrapped_private_key as "wrappedPrivateKey"
      from conversation_keys
     where master_key = $1 and coalesce(master_key_version, '') = $2 and (conversation_id, version) > ($3, $4::integer)
     order by conversation_id, version limit $5`
}

const NEXT_GROUP = {
  text: `
    select master_key as "masterKey", coalesce(master_key_version, '') as "masterKeyVersion" from conversation_keys
     where master_key is not null and (master_key, coalesce(master_key_version, '')) > ($1, $2)
     order by master_key, coalesce(master_key_version, '') limit 1`
}

const LEFT = {
  text: `
    select count(*)::integer as count from conversation_keys
     where master_key = $1 and coalesce(master_key_version, '') = $2 and (conversation_id, version) > ($3, $4::integer)`
}

/**
 * The next keys that are not where they should be: master key by master key and version by version, each in the
 * order of its keys, so that an operation that was interrupted goes on where it stood. Null at the end.
 */
export async function findKeysToRewrap(
  em: EntityManager,
  target: RewrapTarget,
  position: string | null,
  limit: number
): Promise<KeysToRewrap | null> {
  let at: Position | null = positionFrom(position)
  while (at) {
    const keys = isTarget(at, target) ? [] : await runIn<KeyToRewrap>(em, KEYS, [...at.slice(0, 4), limit])
    if (keys.length > 0) return found(at, keys)
    at = await nextGroup(em, at)
  }
  return null
}

/** Keys of the next step. */
export function stepSize(position: string | null): number {
  return positionFrom(position)[4]
}

function positionFrom(text: string | null): Position {
  return text === null ? BEGINNING : (JSON.parse(text) as Position)
}

function isTarget([masterKey, masterKeyVersion]: Position, { uri, version }: RewrapTarget): boolean {
  return masterKey === uri && masterKeyVersion === (version ?? '')
}

async function nextGroup(em: EntityManager, at: Position): Promise<Position | null> {
  const [masterKey, version, , , size] = at
  type Group = { masterKey: string; masterKeyVersion: string }
  const [group] = await runIn<Group>(em, NEXT_GROUP, [masterKey, version])
  return group ? [group.masterKey, group.masterKeyVersion, BEGINNING[2], BEGINNING[3], size] : null
}

function found(at: Position, keys: KeyToRewrap[]): KeysToRewrap {
  const [masterKey, masterKeyVersion, , , sizeBefore] = at
  const last = keys.at(-1)
  return {
    masterKey,
    keys,
    positionBehind: (size) => JSON.stringify([masterKey, masterKeyVersion, last?.conversationId, last?.version, size]),
    async passOver(em) {
      const [row] = await runIn<{ count: number }>(em, LEFT, at.slice(0, 4))
      const position = JSON.stringify([masterKey, masterKeyVersion, ...END_OF_GROUP, sizeBefore])
      return { failed: row?.count ?? 0, position }
    }
  }
}

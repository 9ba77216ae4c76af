import { createPrivateKey } from 'node:crypto'
import { compactDecrypt } from 'jose'
import { fingerprint, importPrivateKey, unwrapDataKey } from '../../../src/crypto/key-transport.js'
import { masterSecretFrom, withSecretBytes } from '../../../src/crypto/keys.js'
import { unwrapPrivateKey } from '../../../src/crypto/private-key-wrap.js'
import { readPrivateKey } from '../../../src/transfer/recipient-key.js'
import type { TestDatabase } from '../test-database.js'
import { type Marked, markedKey } from './markers.js'

/** Where the wrapped keys are kept beside the program's own tables. */
const KEEP = `
  create schema kept;
  create table kept.private_keys (key_id uuid primary key, public_key bytea, wrapped bytea);
  create table kept.data_keys (id uuid primary key, key_id uuid, wrapped bytea);
  create function kept.keep_private_key() returns trigger language plpgsql security definer as $$ begin
    insert into kept.private_keys values (new.key_id, new.public_key, new.wrapped_private_key) on conflict do nothing;
    return null;
  end $$;
  create function kept.keep_data_key() returns trigger language plpgsql security definer as $$ begin
    insert into kept.data_keys
      select new.id, k.key_id, new.wrapped_key from public.conversation_keys k
       where k.conversation_id = new.conversation_id and k.version = new.key_version
      on conflict do nothing;
    return null;
  end $$;
  create trigger keep after insert on pooled_keys for each row execute function kept.keep_private_key();
  create trigger keep after insert on conversation_keys for each row execute function kept.keep_private_key();
  create trigger keep after insert on export_signing_keys for each row execute function kept.keep_private_key();
  create trigger keep after insert on data_keys for each row execute function kept.keep_data_key()`

interface KeptKey {
  id: string
  publicKey: Buffer
  wrapped: Buffer
}

interface KeptDataKey {
  id: string
  keyId: string
  wrapped: Buffer
}

/** From now on keeps a copy of every key that a program stores, wrapped as it is then: of those as well that it destroys later. */
export async function keepGeneratedKeys(database: TestDatabase): Promise<void> {
  await database.query(KEEP)
}

/**
 * Those that were kept, opened.
 *
 * @param masterSecret in base64, under which all of them lie
 */
export async function generatedKeys(
  database: TestDatabase,
  masterSecret: string
): Promise<{ privateKeys: Marked[]; dataKeys: Marked[] }> {
  const secret = masterSecretFrom(Buffer.from(masterSecret, 'base64'))
  const keys = await database.query<KeptKey>(
    'select key_id as id, public_key as "publicKey", wrapped from kept.private_keys'
  )
  const dataKeys = await database.query<KeptDataKey>('select id, key_id as "keyId", wrapped from kept.data_keys')
  const ofKey = Map.groupBy(dataKeys, ({ keyId }) => keyId)
  const opened = await Promise.all(
    keys.map(async ({ id, publicKey, wrapped }) => {
      const der = unwrapPrivateKey(secret, wrapped, { keyId: id, fingerprint: fingerprint(publicKey) })
      return { privateKeys: numbersOf(id, der), dataKeys: await opensWith(der, ofKey.get(id) ?? []) }
    })
  )
  return {
    privateKeys: opened.flatMap(({ privateKeys }) => privateKeys),
    dataKeys: opened.flatMap(({ dataKeys }) => dataKeys)
  }
}

/** The key that an export is encrypted with. @param privatePem of the recipient */
export async function contentKeyOf(file: string, privatePem: string): Promise<Marked> {
  const [head = ''] = file.split('\n')
  const { plaintext } = await compactDecrypt(head, (await readPrivateKey(privatePem)).key)
  const { exportId, key } = JSON.parse(Buffer.from(plaintext).toString()) as { exportId: string; key: { k: string } }
  return markedKey(`content key of export ${exportId}`, Buffer.from(key.k, 'base64url'))
}

/** What makes a private key: of RSA the exponent and the primes, each of which gives the others; of Ed25519 the seed. */
function numbersOf(id: string, der: Buffer): Marked[] {
  const { kty, d, p, q } = createPrivateKey({ key: der, type: 'pkcs8', format: 'der' }).export({ format: 'jwk' })
  return [d, p, q].flatMap((number, index) =>
    number === undefined ? [] : [markedKey(`${kty} number ${index} of key ${id}`, Buffer.from(number, 'base64url'))]
  )
}

async function opensWith(der: Buffer, dataKeys: readonly KeptDataKey[]): Promise<Marked[]> {
  if (dataKeys.length === 0) return []
  const privateKey = importPrivateKey(der)
  return await Promise.all(
    dataKeys.map(async ({ id, wrapped }) =>
      withSecretBytes(await unwrapDataKey(privateKey, wrapped), (bytes) => markedKey(`data key ${id}`, bytes))
    )
  )
}

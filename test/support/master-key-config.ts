/** Environment for master keys `local:<id>`: one that wraps, and those that can still unwrap. */
export function localMasterKeys(current: string, retiring: string[] = []): NodeJS.ProcessEnv {
  const secretOf = (id: string) => Buffer.alloc(32, id).toString('base64')
  return {
    MASTER_KEY: `local:${current}`,
    MASTER_KEYS_RETIRING: retiring.map((id) => `local:${id}`).join(','),
    MASTER_SECRETS: [current, ...retiring].map((id) => `${id}=${secretOf(id)}`).join(',')
  }
}

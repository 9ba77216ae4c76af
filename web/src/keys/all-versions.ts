/** Of key versions: the longest page that a server answers. */
const PAGE = 200

/** The versions of a key, however many: a page at a time. */
export async function allVersions<Key extends { version: number }>(
  read: (page: { first: number; afterVersion: number }) => Promise<readonly Key[]>
): Promise<Key[]> {
  const keys: Key[] = []
  for (;;) {
    const page = await read({ first: PAGE, afterVersion: keys.at(-1)?.version ?? 0 })
    keys.push(...page)
    if (page.length < PAGE) return keys
  }
}

// 43 characters hold 258 bits. The last two are zero in what was encoded; where they are not, something was mistyped.
const ENTRY = /^([A-Za-z0-9._-]{1,64})=([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)$/

/**
 * Reads `id=base64` entries, separated by commas or line breaks; a line that begins with `#` is a comment.
 *
 * @param variable where the text comes from, for the sentences
 * @param problems takes one sentence per bad entry, by its number and never by its text
 * @returns base64 of 32 bytes by id
 */
export function parseMasterSecrets(variable: string, text: string, problems: string[]): Map<string, string> {
  const secrets = new Map<string, string>()
  const lines = text.split('\n').filter((line) => !line.trimStart().startsWith('#'))
  const entries = lines.flatMap((line) => line.split(',')).map((entry) => entry.trim())
  for (const [index, entry] of entries.filter((entry) => entry !== '').entries()) {
    const place = `${variable} entry ${index + 1}`
    const [, id, secret] = ENTRY.exec(entry) ?? []
    if (!id || !secret) problems.push(`${place} must be id=base64 of 32 bytes (openssl rand -base64 32).`)
    else if (secrets.has(id)) problems.push(`${place} names an id a second time.`)
    else secrets.set(id, secret)
  }
  if (secrets.size === 0) problems.push(`${variable} holds no secret: give at least one id=base64.`)
  return secrets
}

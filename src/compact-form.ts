const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** @throws TypeError for bytes that are not UTF-8, instead of others in their place */
export function textOf(bytes: Uint8Array): string {
  return utf8.decode(bytes)
}

/**
 * Whether each part of a compact JWS or JWE is the one spelling of its bytes (RFC 7515, section 2). The library takes
 * others: padding, white space, bits that stand for nothing, the other alphabet.
 */
export function isCanonicalCompact(text: string): boolean {
  return text.split('.').every((part) => Buffer.from(part, 'base64url').toString('base64url') === part)
}

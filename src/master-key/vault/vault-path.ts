/** A path below /v1 out of names that may hold anything; slashes stay what they are. */
export function vaultPath(...names: string[]): string {
  return names
    .flatMap((name) => name.split('/'))
    .map(encodeURIComponent)
    .join('/')
}

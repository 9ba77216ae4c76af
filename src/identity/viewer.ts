/** The user on whose behalf an operation runs, as the bearer token has it. */
export interface Viewer {
  /** The token's `sub`. */
  id: string
  /** The token's `name`, or the id. */
  name: string
  scopes: ReadonlySet<string>
  /** When the token expires; nothing is delivered after that. */
  expiresAt: Date | null
}

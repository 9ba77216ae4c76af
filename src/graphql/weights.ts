/**
 * What a field counts beside others (see cost-limit.ts), for those that are more work than reading out what is there.
 * Every other field has a weight of 1.
 */
export const WEIGHT = {
  /** Counts rows. */
  count: 10,
  /** Takes a key pair from the pool, or generates one. */
  keyPair: 50,
  /** Looks at the keys of every conversation. */
  census: 100,
  /** Reads the whole audit trail: once or twice in a query. */
  auditTrail: 10_000
}

/** Whom a development server lets in with one click. */
export const PEOPLE = [
  { userId: 'alice', name: 'Alice', scopes: [], what: 'a nurse' },
  { userId: 'bob', name: 'Bob', scopes: [], what: 'a physician' },
  { userId: 'carol', name: 'Carol', scopes: ['keys:read', 'keys:admin'], what: 'a key administrator' }
]

/** What is mutated, and the tests that have to notice it. */
const FOLDERS = {
  crypto: {
    tests: ['test/unit/crypto/**/*.test.ts'],
    postgres: false
  },
  'master-key': {
    tests: ['test/unit/master-key/**/*.test.ts', 'test/unit/config-*.test.ts'],
    postgres: false
  },
  'conversation-key': {
    tests: [
      'test/unit/conversation-key/**/*.test.ts',
      'test/flow/{keys,key-policy,key-pool,key-caches,key-races,audit,tampering}.test.ts'
    ],
    postgres: true
  }
}

export const NAMES = Object.keys(FOLDERS)

/** Of the folder of `src` that `MUTATED_FOLDER` names. */
export function chosenFolder() {
  const name = process.env.MUTATED_FOLDER
  if (!Object.hasOwn(FOLDERS, name)) throw new Error(`MUTATED_FOLDER must be one of ${NAMES.join(', ')}`)
  return { name, ...FOLDERS[name] }
}

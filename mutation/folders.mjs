/**
 * What is mutated, and the tests that have to notice it. The fast ones: every mutant is tried against all that reach it,
 * and one in the initialisation of a module against all there are.
 */
const FOLDERS = {
  crypto: {
    mutate: ['src/crypto/**/*.ts'],
    tests: ['test/unit/crypto/**/*.test.ts']
  },
  'master-key': {
    mutate: ['src/master-key/**/*.ts'],
    tests: ['test/unit/master-key/**/*.test.ts', 'test/unit/config-*.test.ts']
  },
  // What makes and reads statements is tested on a real database, which takes minutes for a mutant: docs/mutation-testing.md.
  'conversation-key': {
    mutate: [
      'src/conversation-key/{key-policy,key-rights,key-states,keyring}.ts',
      'src/conversation-key/{list-key-events,new-data-key,verify-key-events}.ts'
    ],
    tests: ['test/unit/conversation-key/**/*.test.ts']
  }
}

export const NAMES = Object.keys(FOLDERS)

/** Of the folder of `src` that `MUTATED_FOLDER` names. */
export function chosenFolder() {
  const name = process.env.MUTATED_FOLDER
  if (!Object.hasOwn(FOLDERS, name)) throw new Error(`MUTATED_FOLDER must be one of ${NAMES.join(', ')}`)
  return { name, ...FOLDERS[name] }
}

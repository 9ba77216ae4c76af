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
  'conversation-key': {
    mutate: [
      'src/conversation-key/{key-policy,key-rights,key-states,keyring,opened-keys}.ts',
      'src/conversation-key/{list-key-events,new-data-key,verify-key-events}.ts'
    ],
    tests: ['test/unit/conversation-key/**/*.test.ts']
  },
  // The rest of that folder, statements and the transactions around them, on a real database: in parts, since a mutant
  // that is not noticed takes as long as all tests of its part.
  'conversation-key-supply': {
    mutate: ['src/conversation-key/key-supply.ts'],
    tests: ['test/flow/key-pool.test.ts'],
    database: true
  },
  'conversation-key-sending': {
    mutate: ['src/conversation-key/sending-keys.ts'],
    tests: ['test/flow/sending-keys.test.ts'],
    database: true
  },
  'conversation-key-rotation': {
    mutate: ['src/conversation-key/{activate-version,rotate-due,rotate-key}.ts'],
    tests: ['test/flow/{due-rotations,keys}.test.ts'],
    database: true
  },
  'conversation-key-policy': {
    mutate: ['src/conversation-key/{apply-policy,key-defaults,set-key-policy}.ts'],
    tests: ['test/flow/{key-defaults,key-policy}.test.ts'],
    database: true
  },
  'conversation-key-audit': {
    mutate: ['src/conversation-key/{key-events,list-keys,record-refusal}.ts'],
    tests: ['test/unit/conversation-key/key-event-chains.test.ts', 'test/flow/{keys,refusals}.test.ts'],
    database: true
  }
}

export const NAMES = Object.keys(FOLDERS)

export function needsDatabase(name) {
  return FOLDERS[name].database ?? false
}

/** Of the folder of `src` that `MUTATED_FOLDER` names, or a part of one. */
export function chosenFolder() {
  const name = process.env.MUTATED_FOLDER
  if (!Object.hasOwn(FOLDERS, name)) throw new Error(`MUTATED_FOLDER must be one of ${NAMES.join(', ')}`)
  return { name, database: false, ...FOLDERS[name] }
}

import { createRequire } from 'node:module'
import { defineConfig } from 'vitest/config'

/** Tests of how long something takes that what runs beside them could fail: it would be measured as well. */
const ALONE = 'test/alone/**/*.test.ts'

const shared = {
  resolve: {
    // graphql refuses to work with a second copy of itself: the one that Node's own resolution gives to its dependants.
    alias: [{ find: /^graphql$/, replacement: createRequire(import.meta.url).resolve('graphql') }]
  },
  test: {
    testTimeout: 60_000,
    // The first that needs the program builds it.
    hookTimeout: 180_000
  }
}

export default defineConfig({
  ...shared,
  test: {
    ...shared.test,
    globalSetup: ['test/support/global-setup.ts'],
    projects: [
      {
        ...shared,
        test: {
          ...shared.test,
          name: 'together',
          include: ['test/**/*.test.ts'],
          exclude: [ALONE],
          // Two cores, shared with PostgreSQL.
          maxWorkers: 2,
          sequence: { groupOrder: 0 }
        }
      },
      {
        ...shared,
        test: { ...shared.test, name: 'alone', include: [ALONE], maxWorkers: 1, sequence: { groupOrder: 1 } }
      }
    ]
  }
})

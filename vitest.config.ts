import { createRequire } from 'node:module'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: {
    // graphql refuses to work with a second copy of itself: the one that Node's own resolution gives to its dependants.
    alias: [{ find: /^graphql$/, replacement: createRequire(import.meta.url).resolve('graphql') }]
  },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 60_000,
    // The first that needs the program builds it.
    hookTimeout: 180_000,
    // Two cores, shared with PostgreSQL.
    maxWorkers: 2
  }
})

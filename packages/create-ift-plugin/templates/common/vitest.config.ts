import { defineConfig } from 'vitest/config'

export default defineConfig({
  // The kits compute with float64 in TypeScript. Native add-ons must not share one process's worker threads.
  test: { include: ['src/**/*.test.ts'], pool: 'forks', testTimeout: 60_000 },
})

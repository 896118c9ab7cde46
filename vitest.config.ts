import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Tests run against the sources: the paths of tsconfig.json are the one list of what every package exports. */
const { compilerOptions } = JSON.parse(readFileSync(here('./tsconfig.json'), 'utf8')) as {
  compilerOptions: { paths: Record<string, [string]> }
}

export default defineConfig({
  resolve: {
    alias: Object.entries(compilerOptions.paths).map(([name, [path]]) => ({
      find: new RegExp(`^${name}$`),
      replacement: here(path),
    })),
  },
  test: {
    globalSetup: './scripts/catalogue.mjs',
    // Native add-ons must not share one process's worker threads.
    pool: 'forks',
    maxWorkers: 2,
    include: [
      'packages/**/src/**/*.test.ts',
      'test/**/*.test.ts',
      'scripts/**/*.test.ts',
      'examples/*/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/dist/**', 'test/e2e/**'],
    testTimeout: 60_000,
  },
})

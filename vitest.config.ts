import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Tests run against the sources: the paths of tsconfig.json are the one list of what every package exports. */
const { compilerOptions } = JSON.parse(readFileSync(here('./tsconfig.json'), 'utf8')) as {
  compilerOptions: { paths: Record<string, [string]> }
}

/** One name as it is, or all that a star stands for; as in TypeScript, the longest text before the star wins. */
const alias = ([name, [path]]: [string, [string]]) => ({
  find: new RegExp(`^${name.replace('*', '([^/]+)')}$`),
  replacement: here(path.replace('*', '$1')),
})
const lengthBefore = (name: string) => (name.includes('*') ? name.indexOf('*') : Infinity)

export default defineConfig({
  resolve: {
    alias: Object.entries(compilerOptions.paths)
      .sort(([a], [b]) => lengthBefore(b) - lengthBefore(a))
      .map(alias),
  },
  test: {
    globalSetup: './scripts/catalogue.mjs',
    // Native add-ons must not share one process's worker threads.
    pool: 'forks',
    maxWorkers: 2,
    include: [
      'packages/**/src/**/*.test.ts',
      'bench/**/*.test.ts',
      'test/**/*.test.ts',
      'scripts/**/*.test.ts',
      'examples/*/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/dist/**', 'test/e2e/**'],
    testTimeout: 60_000,
  },
})

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './scripts/vitest-order.mjs'

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

/** Tests beside their sources. They change nothing of their process, so they share a few, each of which loads the sources once. */
const beside = ['packages/**/src/**/*.test.ts']
/** Those that do: they replace modules, or what belongs to the process. */
const alone = [
  'packages/cli/src/main.test.ts',
  'packages/core/src/files/other-systems.test.ts',
  'packages/core/src/source/lock-read-only.test.ts',
  'packages/core/src/generate/choose.test.ts',
  'packages/core/src/session/fetch-data.test.ts',
  'packages/core/src/session/dataset-patterns.test.ts',
]
// Templates are tests of the plugins that are made of them (packages/create-ift-plugin/src/scaffolds.test.ts).
const exclude = ['**/node_modules/**', '**/dist/**', 'test/e2e/**', 'packages/create-ift-plugin/templates/**']

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
    testTimeout: 60_000,
    hookTimeout: 60_000,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'alone',
          include: [
            ...alone,
            'bench/**/*.test.ts',
            'test/**/*.test.ts',
            'scripts/**/*.test.ts',
            'examples/*/**/*.test.ts',
          ],
          exclude,
        },
      },
      {
        extends: true,
        test: { name: 'shared', isolate: false, include: beside, exclude: [...exclude, ...alone] },
      },
    ],
  },
})

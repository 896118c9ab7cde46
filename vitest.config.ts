import { existsSync, readdirSync, readFileSync } from 'node:fs'
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

// Templates are tests of the plugins that are made of them (packages/create-ift-plugin/src/scaffolds.test.ts).
const exclude = ['**/node_modules/**', '**/dist/**', 'test/e2e/**', '**/templates/**']
const folders = ['packages', 'test', 'bench', 'scripts', 'examples'].filter((folder) =>
  existsSync(here(folder)),
)
const files = folders.flatMap((folder) =>
  readdirSync(here(folder), { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
    .filter((name) => name.endsWith('.test.ts') && !/node_modules|\/dist\/|\/e2e\/|\/templates\//.test(name)),
)
/** Replacing modules or what belongs to the process; the emulator of the GPU is found by the environment. */
const changes =
  /vi\.(mock|doMock|spyOn|stub\w+|useFakeTimers)|process\.(chdir|umask)|process\.env(\.\w+|\[[^\]]+\]) =|delete process\.env|emulated-gpu/
/** Tests that change their process have one of their own. The others share a few, each of which loads the sources once. */
const alone = files.filter((name) => changes.test(readFileSync(here(name), 'utf8')))
const shared = files.filter((name) => !alone.includes(name))

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
        test: { name: 'alone', include: alone, exclude },
      },
      {
        extends: true,
        test: { name: 'shared', isolate: false, include: shared, exclude },
      },
    ],
  },
})

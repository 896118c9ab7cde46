// Plugins as they are written: typechecked, tested and built like those of a third party, with the packages of this workspace as they are
// built in place of installed ones.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { IftPlugin } from '@ift/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nouns, scaffold, writeFiles } from './index.js'

const root = mkdtempSync(join(tmpdir(), 'ift-scaffolds-'))
/** Milliseconds: half a minute of work in all, on a machine that does other work as well. */
const patience = 300_000
const folderOf = (noun: string) => join(root, `my-${noun}`)

/** A program of the packages that a plugin has for its development. */
function run(program: string, args: readonly string[], cwd = root): void {
  const main = {
    tsc: 'typescript/bin/tsc',
    vitest: 'vitest/vitest.mjs',
    tsup: 'tsup/dist/cli-default.js',
  }[program]!
  // This test's own vitest is none of theirs.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^VITEST|^NODE_ENV$/.test(name)),
  )
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'node_modules', main), ...args],
    { cwd, encoding: 'utf8', env },
  )
  expect(status, `${program} ${args.join(' ')}\n${stdout}${stderr}`).toBe(0)
}

/** Tests of a folder that have passed; all that are run must. */
function passed(folder: string, ...which: readonly string[]): number {
  run('vitest', ['run', '--reporter', 'json', '--outputFile', 'result.json', ...which], folder)
  const result = JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8')) as { numPassedTests: number }
  return result.numPassedTests
}

beforeAll(() => {
  const installed = fileURLToPath(new URL('../node_modules', import.meta.url))
  symlinkSync(installed, join(root, 'node_modules'), 'junction')
  for (const noun of nouns) writeFiles(folderOf(noun.noun), scaffold({ noun, name: `my-${noun.noun}` }))
})
afterAll(() => {
  rmSync(root, { recursive: true, force: true })
})

test(
  'the types of all are right',
  () => {
    // One program over all of them, with the settings that each has.
    writeFileSync(
      join(root, 'tsconfig.json'),
      JSON.stringify({ extends: './my-verb/tsconfig.json', include: ['my-*/src', 'my-*/*.config.ts'] }),
    )
    run('tsc', ['-p', 'tsconfig.json'])
  },
  patience,
)

test(
  'their tests pass',
  () => {
    const projects = nouns.filter(({ noun }) => noun !== 'backend').map(({ noun }) => `./my-${noun}`)
    writeFileSync(
      join(root, 'vitest.config.ts'),
      `export default { test: { projects: ${JSON.stringify(projects)}, maxWorkers: 2 } }\n`,
    )
    expect(passed(root)).toBeGreaterThan(250)
    // All kernels of the reference are tried where the reference is.
    expect(passed(folderOf('backend'), '-t', 'relu|second device|package.json')).toBeGreaterThan(12)
  },
  patience,
)

test.each(['dataset', 'verb'])(
  'a %s is built, and what is built registers it',
  async (noun) => {
    const folder = folderOf(noun)
    run('tsup', [], folder)
    const built = pathToFileURL(join(folder, 'dist', 'index.js')).href
    const { plugin } = (await import(/* @vite-ignore */ built)) as { plugin: IftPlugin }
    expect(plugin).toMatchObject({ api: 1, apply: expect.any(Function) as unknown })
  },
  patience,
)

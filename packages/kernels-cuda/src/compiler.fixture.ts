import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { emulatedIsBuilt } from './emulated.fixture.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/**
 * Whether what the tests `what` need is there: a C++ compiler and, with `emulated`, the add-on whose kernels run on the
 * processor. Without it they are skipped; under CI on Linux, where both belong, that is an error.
 */
export function cppIsThere(what: string, { emulated = false } = {}): boolean {
  const compiler = spawnSync('c++', ['--version']).status === 0
  const missing = [
    ...(compiler ? [] : ['a C++ compiler']),
    ...(!emulated || emulatedIsBuilt()
      ? []
      : ['the emulated build (pnpm --filter @ift/kernels-cuda run build:emulated)']),
  ]
  if (missing.length === 0) return true
  const message = `${what} need ${missing.join(' and ')}`
  if (process.env['CI'] && process.platform === 'linux') throw new Error(message)
  console.log(`skipped: ${message}`)
  return false
}

/** Compiles a source of the repository with the host's compiler. */
export function compileCpp(source: string, out: string, flags: readonly string[]): void {
  mkdirSync(dirname(out), { recursive: true })
  const args = ['-std=c++17', '-pthread', ...flags, join(root, source), '-o', out]
  const { status, stderr, error } = spawnSync('c++', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(error?.message ?? stderr)
}

export const temporaryFolder = (name: string) => mkdtempSync(join(tmpdir(), `ift-${name}-`))

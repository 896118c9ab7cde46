import { spawnSync, type SpawnSyncOptions } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

// The command line as a user runs it: a process of its own over the built packages. Its folder lies inside the repository,
// where the packages are found.

export const root = fileURLToPath(new URL('../..', import.meta.url))
/** A small trained LLaMA with a tokenizer and no chat template. */
export const quickstartModel = join(root, 'examples/quickstart/model')
const bin = join(root, 'packages/cli/bin/ift.js')
const inputs = (name: string) => join(root, 'fixtures/cases', name)

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A folder of one test, with the inputs of its case in it when it has any. */
export interface CaseFolder {
  readonly dir: string
  /** Runs `ift` there and waits for its end. */
  ift(args: readonly string[], options?: Pick<SpawnSyncOptions, 'env' | 'input' | 'timeout'>): Ended
  /** Runs `ift`, expects exit code 0 and gives what it wrote on stdout. */
  output(...args: string[]): string
  path(...names: string[]): string
  read(name: string): string
  /** Lines of JSON of a file in the folder. */
  lines(name: string): unknown[]
  remove(): void
}

export function caseFolder(name: string): CaseFolder {
  mkdirSync(join(root, 'runs'), { recursive: true })
  const dir = mkdtempSync(join(root, 'runs', `case-${name}-`))
  if (existsSync(inputs(name))) cpSync(inputs(name), dir, { recursive: true })
  const path = (...names: string[]) => join(dir, ...names)
  const read = (file: string) => readFileSync(path(file), 'utf8')
  const ift: CaseFolder['ift'] = (args, { env, input, timeout = 50_000 } = {}) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], {
      cwd: dir,
      encoding: 'utf8',
      env: { ...process.env, NO_COLOR: '1', ...env },
      input: input ?? '',
      timeout,
    })
    return { code: status, stdout, stderr }
  }
  return {
    dir,
    ift,
    path,
    read,
    output(...args) {
      const { code, stdout, stderr } = ift(args)
      if (code !== 0) throw new Error(`ift ${args.join(' ')}: exit ${code}\n${stderr}${stdout}`)
      return stdout
    },
    lines: (file) =>
      read(file)
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as unknown),
    remove: () => {
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

import {
  spawn,
  spawnSync,
  type ChildProcess,
  type SpawnOptions,
  type SpawnSyncOptions,
} from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

// The command line as a user runs it: a process of its own over the built packages. Its folder lies inside the repository,
// where the packages are found.

export const root = fileURLToPath(new URL('../..', import.meta.url))
/** A small trained LLaMA with a tokenizer and no chat template. */
export const quickstartModel = join(root, 'examples/quickstart/model')
export const bin = join(root, 'packages/cli/bin/ift.js')
const inputs = (name: string) => join(root, 'fixtures/cases', name)

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A command under way. */
export interface Running {
  readonly child: ChildProcess
  /** Its end; `code` null when a signal ended it. */
  readonly ended: Promise<Ended & { readonly signal: NodeJS.Signals | null }>
  /** Waits until something holds, or throws when the command ends before. */
  readonly until: (holds: () => boolean) => Promise<void>
}

/** A folder of one test, with the inputs of its case in it when it has any. */
export interface CaseFolder {
  readonly dir: string
  /** Runs `ift` there and waits for its end. */
  ift(args: readonly string[], options?: Pick<SpawnSyncOptions, 'cwd' | 'env' | 'input' | 'timeout'>): Ended
  /** Starts `ift` there. */
  start(args: readonly string[], options?: Pick<SpawnOptions, 'env'>): Running
  /** Runs `ift`, expects exit code 0 and gives what it wrote on stdout. */
  output(...args: string[]): string
  path(...names: string[]): string
  read(name: string): string
  /** Lines of JSON of a file in the folder. */
  lines(name: string): unknown[]
  /** Every file below a folder with its contents, to see that nothing was touched. */
  contents(name?: string): ReadonlyMap<string, string>
  /** Writes a plugin and gives its name for a config. */
  plugin(name: string, apply: string): string
  remove(): void
}

/** Alpaca rows, no two alike. */
export const rows = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    JSON.stringify({ instruction: `say ${i + 1}`, output: `number ${i + 1}` }),
  ).join('\n') + '\n'

/** A folder with a tiny BLOOM of random weights in `m` and forty rows in `d.jsonl`. */
export function tinyCase(name: string): CaseFolder {
  const folder = caseFolder(name)
  cpSync(join(root, 'fixtures/bloom/tiny'), folder.path('m'), { recursive: true })
  writeFileSync(folder.path('d.jsonl'), rows(40))
  return folder
}

/** A run over `tinyCase` on the CPU; flags behind it win. */
export const tinyRun = (output: string, steps: number, ...flags: string[]) => [
  ...['train', '--weights', './m', '--data', 'd.jsonl', '--template', 'alpaca', '--output', output],
  ...['--device', 'cpu', '--train.batchSize', '8', '--train.maxSteps', String(steps), ...flags],
]

export function caseFolder(name: string): CaseFolder {
  mkdirSync(join(root, 'runs'), { recursive: true })
  const dir = mkdtempSync(join(root, 'runs', `case-${name}-`))
  if (existsSync(inputs(name))) cpSync(inputs(name), dir, { recursive: true })
  const path = (...names: string[]) => join(dir, ...names)
  const read = (file: string) => readFileSync(path(file), 'utf8')
  const ift: CaseFolder['ift'] = (args, { cwd = dir, env, input, timeout = 50_000 } = {}) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], {
      cwd,
      encoding: 'utf8',
      env: { ...process.env, NO_COLOR: '1', ...env },
      input: input ?? '',
      timeout,
    })
    return { code: status, stdout, stderr }
  }
  const children: ChildProcess[] = []
  const start: CaseFolder['start'] = (args, { env } = {}) => {
    const child = spawn(process.execPath, [bin, ...args], {
      cwd: dir,
      env: { ...process.env, NO_COLOR: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    children.push(child)
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
    const ended = once(child, 'close').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
      stdout,
      stderr,
    }))
    const until = async (holds: () => boolean) => {
      while (!holds()) {
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`ift ended too early: ${stderr}${stdout}`)
        await sleep(5)
      }
    }
    return { child, ended, until }
  }
  return {
    dir,
    ift,
    start,
    contents(name = '.') {
      const files = readdirSync(path(name), { recursive: true }) as string[]
      const kept = files.filter((file) => statSync(path(name, file)).isFile()).sort()
      return new Map(kept.map((file) => [file, readFileSync(path(name, file), 'latin1')]))
    },
    plugin(name, apply) {
      writeFileSync(
        path(`${name}.mjs`),
        `import * as fs from 'node:fs'\nexport const plugin = { name: '${name}', api: 1, apply(ift) {\n${apply}\n} }\n`,
      )
      return `./${name}.mjs`
    },
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
      // What a test that failed has left.
      for (const child of children) child.kill('SIGKILL')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tinyCase, tinyRun, type CaseFolder } from './ift.fixture.js'

// Pipes, sockets and devices under the name of a file: what is read is a file, and never more of it than such a file has.

let folder: CaseFolder
let server: Server
beforeAll(async () => {
  folder = tinyCase('rel-42')
  const { code, stderr } = folder.ift(tinyRun('run', 2, '--train.saveEvery', '1'))
  expect(code, stderr).toBe(0)
  // A short path: that of a socket has 107 bytes at most.
  process.chdir(folder.dir)
  server = createServer()
  await new Promise<void>((ready) => server.listen('socket', ready))
  execFileSync('mkfifo', [folder.path('fifo')])
  writeFileSync(folder.path('sparse'), '')
  truncateSync(folder.path('sparse'), 100 * 2 ** 30)
  symlinkSync('loop', folder.path('loop'))
  mkdirSync(folder.path('folder'))
})
afterAll(() => {
  server.close()
  process.chdir('/')
  folder.remove()
})

const kinds: Record<string, string> = {
  'a named pipe': 'fifo',
  'a socket': 'socket',
  'a folder': 'folder',
  'a device': '/dev/zero',
  'a loop of links': 'loop',
  'a sparse file of 100 GB': 'sparse',
}
const commands: Record<string, readonly string[]> = {
  'm/config.json': ['generate', 'hello', '--weights', './m', '--device', 'cpu'],
  'm/tokenizer.json': ['generate', 'hello', '--weights', './m', '--device', 'cpu'],
  'm/tokenizer_config.json': ['generate', 'hello', '--weights', './m', '--device', 'cpu'],
  'm/generation_config.json': ['generate', 'hello', '--weights', './m', '--device', 'cpu'],
  'm/model.safetensors': ['generate', 'hello', '--weights', './m', '--device', 'cpu'],
  'run/adapter/adapter_config.json': [
    'generate',
    'hello',
    '--weights',
    './m',
    '--adapter',
    './run/adapter',
    '--device',
    'cpu',
  ],
  'run/adapter/adapter_model.safetensors': [
    'generate',
    'hello',
    '--weights',
    './m',
    '--adapter',
    './run/adapter',
    '--device',
    'cpu',
  ],
  'run/manifest.json': tinyRun('run', 4, '--resume'),
  'run/checkpoints/step-2/state.json': tinyRun('run', 4, '--resume', 'run/checkpoints/step-2'),
  'rows.jsonl': ['data', 'stats', 'rows.jsonl'],
  'rows.json': ['data', 'stats', 'rows.json'],
  'rows.csv': ['data', 'stats', 'rows.csv'],
  'rows.parquet': ['data', 'stats', 'rows.parquet'],
  'rows.jsonl.gz': ['data', 'validate', 'rows.jsonl.gz'],
}

// Each file under some kind; all pairs would take minutes.
const pairs = Object.keys(commands).flatMap((file, i) =>
  Object.keys(kinds)
    .filter((_, k) => (i + k) % 3 === 0)
    .map((kind) => [file, kind] as const),
)

test.each(pairs)('%s is %s', (file, kind) => {
  const aside = folder.path('aside')
  rmSync(aside, { recursive: true, force: true })
  const there = folder.path(file)
  try {
    cpSync(there, aside)
  } catch {
    // It is made for this test alone.
  }
  rmSync(there, { force: true })
  symlinkSync(kinds[kind]!.startsWith('/') ? kinds[kind]! : folder.path(kinds[kind]!), there)
  try {
    if (file === 'run/manifest.json') rmSync(folder.path('run/checkpoints/step-2/run.json'), { force: true })
    const { code, stderr, stdout } = folder.ift(commands[file]!, {
      timeout: 20_000,
      env: { NODE_OPTIONS: '--max-old-space-size=1500' },
    })
    expect(code, stderr + stdout).not.toBe(null)
    expect(stderr + stdout).toMatch(/IFT_|problem|broken gzip data/)
    expect(stderr + stdout).not.toContain('a fault of ift')
  } finally {
    rmSync(there, { force: true })
    try {
      cpSync(aside, there)
    } catch {
      // There was none.
    }
  }
})

test('a pipe is called one', () => {
  rmSync(folder.path('m/config.json'))
  execFileSync('mkfifo', [folder.path('m/config.json')])
  const { code, stderr } = folder.ift(commands['m/config.json']!, { timeout: 20_000 })
  expect(code, stderr).toBe(1)
  expect(stderr).toContain('config.json: expected a file, found a named pipe')
})

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { compileCpp, cppIsThere } from '../../packages/kernels-cuda/src/compiler.fixture.js'
import { emulatedFile } from '../../packages/kernels-cuda/src/emulated.fixture.js'
import { quickstart, root } from '../fixture/files.js'
import { adaptersApart, freePort } from '../fixture/ranks.js'
import { metricsOf } from '../fixture/session.js'
import { copyModel, smallSizes } from '../fixture/small-model.js'

// Runs of the built command line over several processes, each with an emulated GPU of its own, and a library with NCCL's
// names between them. Each rank is started as a launcher would, by variables. The folder is inside the repository, where
// the packages are found.

const ready = cppIsThere('processes of emulated GPUs', { emulated: true })

let dir: string

/** The plugin in one file, beside the add-on as the package has it; the packages it uses are those of the command line. */
async function bundlePlugin(): Promise<void> {
  // The bundler that tsup brings.
  const tsup = createRequire(createRequire(join(root, 'package.json')).resolve('tsup'))
  const esbuild = tsup('esbuild') as { build: (options: object) => Promise<unknown> }
  await esbuild.build({
    entryPoints: [join(root, 'test/fixture/emulated-gpu.ts')],
    outfile: join(dir, 'plugin/emulated-gpu.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['@ift/*'],
    tsconfigRaw: '{}',
    logLevel: 'warning',
  })
  const addon = emulatedFile()!
  // package.json beside an add-on says its name.
  for (const file of [addon, join(root, 'packages/kernels-cuda/package.json')])
    symlinkSync(file, join(dir, basename(file)))
}

function lastTensor(file: Buffer): { data_offsets: [number, number] } {
  const header = JSON.parse(file.toString('utf8', 8, 8 + Number(file.readBigUInt64LE()))) as object
  return Object.entries(header).findLast(([name]) => name !== '__metadata__')![1] as ReturnType<
    typeof lastTensor
  >
}

beforeAll(async () => {
  if (!ready) return
  mkdirSync(join(root, 'runs'), { recursive: true })
  dir = mkdtempSync(join(root, 'runs/cuda-ranks-'))
  compileCpp('crates/collectives/tests/mock_nccl.cpp', join(dir, 'libnccl.so.2'), ['-shared', '-fPIC', '-O2'])
  await bundlePlugin()
  copyModel(join(dir, 'model'), smallSizes)
  copyModel(join(dir, 'wider'), { ...smallSizes, intermediate_size: 192 })
  for (const name of ['trained', 'trained-further']) copyModel(join(dir, name))
  const weights = readFileSync(join(dir, 'trained/model.safetensors'))
  // The lowest bit of the last tensor's first element.
  const { data_offsets } = lastTensor(weights)
  weights[8 + Number(weights.readBigUInt64LE()) + data_offsets[0]]! ^= 1
  writeFileSync(join(dir, 'trained-further/model.safetensors'), weights)
  const data = readFileSync(quickstart('data/bilingual.jsonl'), 'utf8').split('\n')
  writeFileSync(join(dir, 'data.jsonl'), data.slice(0, 14).join('\n'))
  writeFileSync(join(dir, 'other.jsonl'), data.slice(4, 14).join('\n'))
  const config = {
    weights: 'model',
    initialize: true,
    data: ['data.jsonl'],
    template: 'alpaca',
    maxLength: 64,
    device: 'cuda',
    dtype: 'f32',
    plugins: ['./plugin/emulated-gpu.mjs'],
    validation: { size: 3 },
    peft: { method: 'lora', r: 2, dropout: 0 },
    train: {
      batchSize: 4,
      maxSteps: 3,
      evalEvery: 3,
      saveEvery: 3,
      microBatchTokens: 128,
      learningRate: 0.01,
    },
    ranks: { nccl: join(dir, 'libnccl.so.2'), timeout: 20 },
  }
  writeFileSync(join(dir, 'ift.config.json'), JSON.stringify(config))
}, 60_000)

afterAll(() => {
  if (ready) rmSync(dir, { recursive: true, force: true })
})

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly said: string
  /** When it ended, in seconds of the test's clock. */
  readonly at: number
}

interface RankStart {
  readonly flags?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

const running = new Set<ChildProcess>()
afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
})

/** Runs `ift train` in as many processes; `of(rank)` is what one of them has for itself. */
async function ranks(
  worldSize: number,
  output: string,
  fault = '',
  of: (rank: number) => RankStart = () => ({}),
): Promise<Ended[]> {
  const port = String(await freePort())
  return Promise.all(
    Array.from({ length: worldSize }, async (_, rank) => {
      const { flags = [], env = {} } = of(rank)
      const own =
        worldSize === 1
          ? {}
          : {
              IFT_RANK: String(rank),
              IFT_WORLD_SIZE: String(worldSize),
              IFT_MASTER_ADDR: '127.0.0.1',
              IFT_MASTER_PORT: port,
              IFT_RUN_ID: output,
            }
      const line = [join(root, 'packages/cli/bin/ift.js'), 'train', '-c', dir, '--output', output, ...flags]
      const child = spawn(process.execPath, line, {
        cwd: dir,
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, NO_COLOR: '1', FAULT: fault, ...own, ...env },
      })
      running.add(child)
      let said = ''
      child.stderr.on('data', (data: Buffer) => (said += data.toString()))
      const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
      running.delete(child)
      return { code, signal, said, at: performance.now() / 1000 }
    }),
  )
}

test.skipIf(!ready)(
  'two and four processes train as one with the whole batch',
  async () => {
    for (const worldSize of [1, 2, 4])
      for (const { code, said } of await ranks(worldSize, `of-${worldSize}`)) expect(code, said).toBe(0)
    const alone = metricsOf(join(dir, 'of-1'))
    expect(alone.filter(({ kind }) => kind === 'train')).toHaveLength(3)
    for (const output of ['of-2', 'of-4']) {
      const lines = metricsOf(join(dir, output))
      expect(lines.map(({ step, kind }) => [step, kind])).toEqual(alone.map(({ step, kind }) => [step, kind]))
      for (const [i, { step, kind, values }] of lines.entries()) {
        const expected = alone[i]!.values
        expect(values['loss'], `loss of step ${step} of ${output}`).toBeCloseTo(expected['loss']!, 4)
        if (kind !== 'train') continue
        expect(values['gradientNorm'], `gradient of step ${step} of ${output}`).toBeCloseTo(
          expected['gradientNorm']!,
          4,
        )
        for (const name of ['tokens', 'trainedTokens']) expect(values[name]).toBe(expected[name])
      }
      const apart = await adaptersApart(join(dir, output, 'adapter'), join(dir, 'of-1/adapter'))
      expect(apart.largest).toBeGreaterThan(0.01)
      expect(apart.worst).toBeLessThan(2e-4)
    }
  },
  60_000,
)

test.skipIf(!ready).each([
  ['kill-step', 4, 2],
  ['kill-step', 2, 0],
  ['kill-data', 2, 1],
  ['kill-join', 2, 1],
])(
  'a process that is killed (%s, of %i rank %i) ends all others, with its name',
  async (fault, worldSize, dead) => {
    const ended = await ranks(worldSize, `${fault}-${worldSize}`, `${fault} ${dead}`)
    const { at } = ended[dead]!
    expect(ended[dead]!.signal).toBe('SIGKILL')
    for (const [rank, { code, said, at: end }] of ended.entries()) {
      if (rank === dead) continue
      expect(code, said).toBe(1)
      expect(said).toContain(`Rank ${dead} failed: its process has ended.`)
      expect(said).toContain('IFT_RANK_FAILED')
      expect(end - at, `seconds that rank ${rank} lived on`).toBeLessThan(30)
    }
    expect(existsSync(join(dir, `${fault}-${worldSize}`, 'adapter'))).toBe(false)
  },
  60_000,
)

test.skipIf(!ready)('an id that is none ends every rank with what NCCL said of it', async () => {
  const [first, second] = await ranks(2, 'bad-id', 'bad-id 1')
  expect([first!.code, second!.code]).toEqual([1, 1])
  expect(second!.said).toContain('ncclCommInitRank failed: invalid argument (4)')
  expect(first!.said).toContain('Rank 1 failed: ncclCommInitRank failed: invalid argument (4)')
})

test.skipIf(!ready)('ranks with ids of two worlds do not wait for each other for ever', async () => {
  const ended = await ranks(2, 'other-id', 'other-id 1', () => ({ flags: ['--ranks.timeout', '3'] }))
  for (const { code, said } of ended) {
    expect(code, said).toBe(1)
    expect(said).toMatch(/IFT_RANK_(MISSING|FAILED)/)
    expect(said).toContain('the devices of the 2 ranks did not join within 3 s')
  }
})

const only = (odd: number, start: RankStart) => (rank: number) => (rank === odd ? start : {})

test.skipIf(!ready).each([
  [
    'learning rate',
    only(1, { flags: ['--train.learningRate', '0.02'] }),
    /config train\.learningRate: rank 1 has 0\.02, rank 0 has 0\.01/,
  ],
  [
    'data',
    only(1, { flags: ['--data', 'other.jsonl'] }),
    /training data sha256: rank 1 has rows-1:[0-9a-f]{64}, rank 0 has rows-1:/,
  ],
  ['model', only(1, { flags: ['--weights', 'wider'] }), /model intermediate: rank 1 has 192, rank 0 has 128/],
  [
    'state of the weights',
    (rank: number) => ({
      flags: ['--initialize', 'false', '--weights', rank === 1 ? 'trained-further' : 'trained'],
    }),
    /model weight values: rank 1 has [0-9a-f]{64}, rank 0 has/,
  ],
  [
    'rank of the adapter',
    only(1, { flags: ['--peft.r', '4'] }),
    /config peft\.r: rank 1 has 4, rank 0 has 2/,
  ],
  [
    'number of ranks',
    only(1, { env: { IFT_WORLD_SIZE: '3' } }),
    /rank 1.* counts 3 ranks and rank 0 counts 2/,
  ],
] as const)(
  'a rank with another %s is refused on every rank, with both values',
  async (what, of, message) => {
    const ended = await ranks(2, `other ${what}`, '', of)
    for (const { code, said } of ended) {
      // 2 where the variables of the launcher are at fault.
      expect([1, 2], said).toContain(code)
      expect(said).toMatch(message)
      expect(said).toMatch(/IFT_RANK(S_DIFFER|S_ENVIRONMENT|_FAILED)/)
    }
    expect(existsSync(join(dir, `other ${what}`))).toBe(false)
  },
  60_000,
)

import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { defineBackend, Ift, openAdapter, type IftConfig, type RankPlace } from '@ift/core'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { compileCpp, cppIsThere } from '../../packages/kernels-cuda/src/compiler.fixture.js'
import { openEmulated } from '../../packages/kernels-cuda/src/emulated.fixture.js'

// Two sessions of one process are two ranks: emulated GPUs, real TCP between them, and a library with NCCL's names. What
// is tested is everything above that library.

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))
const ready = cppIsThere('ranks of emulated GPUs', { emulated: true })

let dir: string
let library: string

beforeAll(() => {
  if (!ready) return
  dir = mkdtempSync(join(tmpdir(), 'ift-cuda-ranks-'))
  library = join(dir, 'libnccl.so.2')
  compileCpp('crates/collectives/tests/mock_nccl.cpp', library, ['-shared', '-fPIC'])
  const model = path('examples/quickstart/model')
  for (const file of readdirSync(model)) copyFileSync(join(model, file), join(dir, file))
  const config = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8')) as Record<string, unknown>
  const small = { hidden_size: 128, intermediate_size: 128, num_hidden_layers: 1 }
  const heads = { num_attention_heads: 2, num_key_value_heads: 2, head_dim: 64 }
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ ...config, ...small, ...heads }))
}, 60_000)
afterAll(() => {
  if (ready) rmSync(dir, { recursive: true, force: true })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** The emulated GPU as device `cuda`. */
const emulated = defineBackend({
  name: 'cuda',
  async open({ ranks }) {
    const backend = openEmulated()
    if (ranks) {
      const { place, ...rest } = ranks
      await backend.join({ ...place, ...rest })
    }
    return backend
  },
})

const steps = 3

async function train(output: string, place: RankPlace | null) {
  const config: IftConfig = {
    model: 'llama',
    weights: dir,
    initialize: true,
    device: 'cuda',
    dtype: 'f32',
    data: [{ path: path('examples/quickstart/data/bilingual.jsonl'), limit: 12 }],
    template: 'alpaca',
    maxLength: 64,
    peft: { method: 'lora', r: 2, dropout: 0 },
    validation: { size: 3 },
    train: { batchSize: 3, maxSteps: steps, evalEvery: 3, microBatchTokens: 128, learningRate: 0.01 },
    ranks: { nccl: library, timeout: 30 },
    output,
  }
  const ift = await Ift.load({ cwd: dir, config, plugins: [emulated, llama, lora] })
  try {
    const training = await ift.createTraining({ ranks: place })
    const losses: number[] = []
    training.trainer.hooks.step.tapPromise('test', async (step) => {
      losses.push(await step.loss())
    })
    const result = await training.run()
    return { losses, evaluation: result.bestEval!.loss }
  } finally {
    await ift.close()
  }
}

test.skipIf(!ready)(
  'two GPU ranks train as one with the whole batch',
  async () => {
    const alone = await train('alone', null)
    expect(alone.losses).toHaveLength(steps)
    const master = { host: '127.0.0.1', ports: [await freePort()] }
    const place = (rank: number): RankPlace => ({
      launcher: 'test',
      rank,
      worldSize: 2,
      localRank: rank,
      localSize: 2,
      device: rank,
      mpi: null,
      master,
      runId: 'test',
    })
    const ranks = await Promise.all([0, 1].map((rank) => train(`rank-${rank}`, place(rank))))
    for (const { losses, evaluation } of ranks) {
      for (const [i, loss] of losses.entries()) expect(loss).toBeCloseTo(alone.losses[i]!, 4)
      expect(evaluation).toBeCloseTo(alone.evaluation, 4)
    }
    // The first one alone writes.
    expect(existsSync(join(dir, 'rank-1'))).toBe(false)
    const [one, two] = await Promise.all(
      ['alone', 'rank-0'].map((output) => openAdapter(join(dir, output, 'adapter'))),
    )
    let [worst, largest] = [0, 0]
    for (const name of one!.names()) {
      const [x, y] = [await one!.read(name), await two!.read(name)]
      for (const [i, value] of x.entries()) {
        worst = Math.max(worst, Math.abs(value - y[i]!))
        largest = Math.max(largest, Math.abs(value))
      }
    }
    expect(largest).toBeGreaterThan(0.01)
    expect(worst).toBeLessThan(1e-3)
  },
  120_000,
)

test.skipIf(!ready)('a rank without its library ends the others with its message', async () => {
  const master = { host: '127.0.0.1', ports: [await freePort()] }
  const outcomes = await Promise.allSettled(
    [0, 1].map(async (rank) => {
      const config: IftConfig = {
        model: 'llama',
        weights: dir,
        initialize: true,
        device: 'cuda',
        ranks: { nccl: rank === 0 ? library : '/not/there/libnccl.so.2', timeout: 20 },
      }
      const ift = await Ift.load({ cwd: dir, config, plugins: [emulated, llama, lora] })
      const place = { launcher: 'test', rank, worldSize: 2, localRank: rank, localSize: 2, device: rank }
      try {
        await ift.createTraining({ ranks: { ...place, mpi: null, master, runId: 'fault' } })
      } finally {
        await ift.close()
      }
    }),
  )
  const [first, second] = outcomes.map((outcome) =>
    outcome.status === 'rejected' ? (outcome.reason as Error & { code: string }) : null,
  )
  expect(second?.code).toBe('IFT_LIBRARY_MISSING')
  expect(first?.code).toBe('IFT_RANK_FAILED')
})

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { defineBackend, type IftConfig, type RankPlace } from '@ift/core'
import { plugin as llama } from '@ift/model-llama'
import { plugin as adalora } from '@ift/peft-adalora'
import { plugin as lora } from '@ift/peft-lora'
import { compileCpp, cppIsThere } from '../../packages/kernels-cuda/src/compiler.fixture.js'
import { openEmulated } from '../../packages/kernels-cuda/src/emulated.fixture.js'
import { quickstart, readObject } from '../fixture/files.js'
import { penalisedPlugin, type Calls } from '../fixture/penalised-lora.js'
import { adaptersApart, freePort } from '../fixture/ranks.js'
import { quickstartConfig } from '../fixture/quickstart.js'
import { sessionsIn } from '../fixture/session.js'
import { copyModel, smallSizes } from '../fixture/small-model.js'

// Two sessions of one process are two ranks: emulated GPUs, real TCP between them, and a library with NCCL's names. What
// is tested is everything above that library.

const ready = cppIsThere('ranks of emulated GPUs', { emulated: true })

const dir = mkdtempSync(join(tmpdir(), 'ift-cuda-ranks-'))
const library = join(dir, 'libnccl.so.2')

beforeAll(() => {
  if (!ready) return
  compileCpp('crates/collectives/tests/mock_nccl.cpp', library, ['-shared', '-fPIC'])
  copyModel(dir, smallSizes)
}, 60_000)
afterAll(() => {
  rmSync(dir, { recursive: true })
})

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

const calls: Calls = { updates: [], penalties: 0 }
const session = sessionsIn(dir, [emulated, llama, lora, adalora, penalisedPlugin(calls)])
const steps = 3

interface TrainOptions {
  readonly peft?: NonNullable<IftConfig['peft']>
  readonly maxSteps?: number
  /** Interrupts the run behind this step. */
  readonly stopAfter?: number
  readonly resume?: boolean
}

async function train(
  output: string,
  place: RankPlace | null,
  {
    peft = { method: 'lora', r: 2, dropout: 0 },
    maxSteps = steps,
    stopAfter = Infinity,
    resume = false,
  }: TrainOptions = {},
) {
  const config: IftConfig = {
    ...quickstartConfig,
    weights: dir,
    device: 'cuda',
    data: [{ path: quickstart('data/bilingual.jsonl'), limit: 12 }],
    maxLength: 128,
    peft,
    validation: { size: 3 },
    train: { batchSize: 3, maxSteps, evalEvery: 3, microBatchTokens: 256, learningRate: 0.01 },
    ranks: { nccl: library, timeout: 30 },
    output,
  }
  return session(config, async (ift) => {
    const training = await ift.createTraining({ ranks: place, resume })
    const controller = new AbortController()
    const losses: number[] = []
    const penalties: (number | undefined)[] = []
    training.trainer.hooks.step.tapPromise('test', async (step) => {
      losses.push(await step.loss())
      penalties.push(await step.penalty?.())
      if (step.step >= stopAfter) controller.abort()
    })
    const result = await training.run(controller.signal)
    return { losses, penalties, evaluation: result.bestEval?.loss, reason: result.reason }
  })
}

/** Two ranks that meet at a port of their own. */
async function trainTwo(output: string, options: TrainOptions = {}) {
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
  return Promise.all([0, 1].map((rank) => train(`${output}-${rank}`, place(rank), options)))
}

test.skipIf(!ready)(
  'two GPU ranks train as one with the whole batch',
  async () => {
    const alone = await train('alone', null)
    expect(alone.losses).toHaveLength(steps)
    const ranks = await trainTwo('rank')
    for (const { losses, evaluation } of ranks) {
      for (const [i, loss] of losses.entries()) expect(loss).toBeCloseTo(alone.losses[i]!, 4)
      expect(evaluation).toBeCloseTo(alone.evaluation!, 4)
    }
    // The first one alone writes.
    expect(existsSync(join(dir, 'rank-1'))).toBe(false)
    const apart = await adaptersApart(join(dir, 'rank-0/adapter'), join(dir, 'alone/adapter'))
    expect(apart.largest).toBeGreaterThan(0.01)
    expect(apart.worst).toBeLessThan(1e-3)
  },
  120_000,
)

test.skipIf(!ready)(
  'what a method adds to the loss counts once, and its state is that of the first rank',
  async () => {
    // Enough for two steps behind the one that a run is cut at.
    const own = { peft: { method: 'penalised-lora', r: 2, dropout: 0 }, maxSteps: 6 }
    const alone = await train('own-alone', null, own)
    const ranks = await trainTwo('own', own)
    for (const { losses, penalties } of ranks) {
      for (const [i, loss] of losses.entries()) expect(loss).toBeCloseTo(alone.losses[i]!, 4)
      for (const [i, penalty] of penalties.entries()) expect(penalty).toBeCloseTo(alone.penalties[i]!, 5)
    }
    expect(alone.penalties[0]).toBeGreaterThan(0.05)
    const apart = await adaptersApart(join(dir, 'own-0/adapter'), join(dir, 'own-alone/adapter'))
    expect(apart.largest).toBeGreaterThan(0.01)
    expect(apart.worst).toBeLessThan(1e-3)
    // The second rank has no folder, so what it goes on with is what the first one reads.
    for (const { reason } of await trainTwo('own-cut', { ...own, stopAfter: 1 }))
      expect(reason).toBe('interrupted')
    await trainTwo('own-cut', { ...own, resume: true })
    const resumed = await adaptersApart(join(dir, 'own-cut-0/adapter'), join(dir, 'own-0/adapter'))
    expect(resumed.worst).toBe(0)
  },
  120_000,
)

test.skipIf(!ready)(
  'two GPU ranks prune the same singular values as one with the whole batch',
  async () => {
    const ranks = { initR: 4, targetR: 2, tinit: 1, tfinal: 1 }
    const options = { peft: { method: 'adalora', ...ranks, dropout: 0 }, maxSteps: 5 }
    const alone = await train('adalora-alone', null, options)
    for (const { losses, penalties } of await trainTwo('adalora', options)) {
      for (const [i, loss] of losses.entries()) expect(loss).toBeCloseTo(alone.losses[i]!, 4)
      for (const [i, penalty] of penalties.entries()) expect(penalty).toBeCloseTo(alone.penalties[i]!, 5)
    }
    const [one, two] = [join(dir, 'adalora-alone/adapter'), join(dir, 'adalora-0/adapter')]
    const patterns = [one, two].map((at) => readObject(join(at, 'adapter_config.json'))['rank_pattern'])
    expect(patterns[0]).not.toBeNull()
    expect(patterns[1]).toEqual(patterns[0])
    expect((await adaptersApart(two, one)).worst).toBeLessThan(1e-3)
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
      const place = { launcher: 'test', rank, worldSize: 2, localRank: rank, localSize: 2, device: rank }
      await session(config, (ift) =>
        ift.createTraining({ ranks: { ...place, mpi: null, master, runId: 'fault' } }),
      )
    }),
  )
  const [first, second] = outcomes.map((outcome) =>
    outcome.status === 'rejected' ? (outcome.reason as Error & { code: string }) : null,
  )
  expect(second?.code).toBe('IFT_LIBRARY_MISSING')
  expect(first?.code).toBe('IFT_RANK_FAILED')
})

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { defineBackend, type IftConfig, type RankPlace } from '@ift/core'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { compileCpp, cppIsThere } from '../../packages/kernels-cuda/src/compiler.fixture.js'
import { openEmulated } from '../../packages/kernels-cuda/src/emulated.fixture.js'
import { quickstart } from '../fixture/files.js'
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

const session = sessionsIn(dir, [emulated, llama, lora])
const steps = 3

async function train(output: string, place: RankPlace | null) {
  const config: IftConfig = {
    ...quickstartConfig,
    weights: dir,
    device: 'cuda',
    data: [{ path: quickstart('data/bilingual.jsonl'), limit: 12 }],
    maxLength: 64,
    peft: { method: 'lora', r: 2, dropout: 0 },
    validation: { size: 3 },
    train: { batchSize: 3, maxSteps: steps, evalEvery: 3, microBatchTokens: 128, learningRate: 0.01 },
    ranks: { nccl: library, timeout: 30 },
    output,
  }
  return session(config, async (ift) => {
    const training = await ift.createTraining({ ranks: place })
    const losses: number[] = []
    training.trainer.hooks.step.tapPromise('test', async (step) => {
      losses.push(await step.loss())
    })
    const result = await training.run()
    return { losses, evaluation: result.bestEval!.loss }
  })
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
    const apart = await adaptersApart(join(dir, 'rank-0/adapter'), join(dir, 'alone/adapter'))
    expect(apart.largest).toBeGreaterThan(0.01)
    expect(apart.worst).toBeLessThan(1e-3)
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

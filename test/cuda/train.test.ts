// Training steps on the kernels for NVIDIA GPUs, emulated on the processor, beside the CPU backend.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { loadWeights, openCheckpoint, type ModelDefinition } from '@ift/core'
import { openCpu } from '@ift/kernels-cpu'
import { bloom } from '@ift/model-bloom'
import { chatglm } from '@ift/model-chatglm'
import { llama } from '@ift/model-llama'
import { lora, type LoraOptions } from '@ift/peft-lora'
import {
  backward,
  ops,
  quantizeLinears,
  withRandom,
  type Backend,
  type FloatDType,
  type QuantFormat,
} from '@ift/tensor'
import { emulatedIsBuilt, openEmulated, schedules } from '../../packages/kernels-cuda/src/emulated.fixture.js'
import { packSamples } from '../../packages/core/src/data/pack.js'
import { AdamWOptimizer } from '../../packages/core/src/train/adamw.js'
import { withDeviceBatch } from '../../packages/core/src/train/forward.js'

const fixture = (path: string) => fileURLToPath(new URL(`../../fixtures/${path}`, import.meta.url))

interface Recipe {
  readonly definition: ModelDefinition
  readonly files: string
  /** Ids of a sample of `length` tokens, of which the last half is trained. */
  readonly ids: (length: number, seed: number) => number[]
  readonly options?: Partial<LoraOptions>
  readonly quantize?: QuantFormat
  readonly dtype?: FloatDType
}

const learningRate = 1e-2

/** Everything that two steps leave behind, by name. */
type Trace = Map<string, Float32Array>

/** Two optimiser steps of two micro-batches each, with dropout and clipping. */
async function train(backend: Backend, recipe: Recipe): Promise<Trace> {
  const { definition, files, dtype = 'f32', quantize } = recipe
  const json = JSON.parse(readFileSync(fixture(`${files}/config.json`), 'utf8')) as Record<string, unknown>
  const config: unknown = definition.parseConfig(json)
  const model = definition.build(config)
  if (quantize) quantizeLinears(model, quantize, [model.lmHead])
  await loadWeights(model, definition, config, await openCheckpoint(fixture(files)), { backend, dtype })
  const options = lora.options.parse({ r: 4, alpha: 8, dropout: 0.1, ...recipe.options })
  const peft = await lora.attach(model, options, {
    definition,
    shape: definition.shape(config),
    backend,
    dtype,
    seed: 3,
    baseModel: files,
  })
  const trainable = [...peft.trainable()]
  const settings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-4, weightDecay: 0.01, clipNorm: 0.5 }
  const optimizer = new AdamWOptimizer(backend, trainable, settings)
  const trace: Trace = new Map()
  for (const step of [0, 1]) {
    const micros = [0, 1].map((micro) => {
      const samples = [5, 17, 12].map((length, i) => {
        const ids = Int32Array.from(recipe.ids(length, 7 * step + 3 * micro + i))
        return { ids, labels: ids.map((id, at) => (at < length / 2 ? -100 : id)) }
      })
      return packSamples(samples, false, model.promptOf?.bind(model))
    })
    const trained = micros.reduce((sum, batch) => sum + batch.trainedTokens, 0)
    for (const [micro, batch] of micros.entries()) {
      const loss = withRandom({ seed: 11, step, micro }, () =>
        withDeviceBatch(backend, batch, peft, ({ input, targets }) => {
          const result = ops.linearCrossEntropy(model.call(input), model.lmHead, targets, {
            gradScale: 1 / trained,
          })
          backward(result)
          return result
        }),
      )
      trace.set(`loss ${step}.${micro}`, await loss.read())
      loss.release()
    }
    for (const { name, parameter } of trainable)
      if (parameter.grad) trace.set(`gradient ${step} ${name}`, await parameter.grad.read())
    const norm = optimizer.update(learningRate)
    trace.set(`squared norm ${step}`, await norm.read())
    norm.release()
  }
  for (const { name, parameter } of trainable) trace.set(`weight ${name}`, await parameter.master.read())
  optimizer.release()
  backend.close()
  return trace
}

/**
 * Within `tolerance` of the largest value of each entry, and everywhere numbers. AdamW divides a gradient by its own size, so
 * that the rounding of a small one is a share of the learning rate in the weight.
 */
function expectSame(found: Trace, expected: Trace, tolerance: number): void {
  expect([...found.keys()]).toEqual([...expected.keys()])
  for (const [name, values] of expected) {
    const scale = Math.max(...values.map(Math.abs))
    const other = found.get(name)!
    const worst = Math.max(...values.map((value, i) => Math.abs(value - other[i]!)))
    const step = name.startsWith('weight') ? 10 * learningRate : 0
    expect(worst, name).toBeLessThanOrEqual(tolerance * (scale + step))
  }
}

const counting = (vocab: number) => (length: number, seed: number) =>
  Array.from({ length }, (_, i) => (seed * 31 + i * i * 7 + i) % vocab)

const recipes: Readonly<Record<string, Recipe>> = {
  'LLaMA, all linear layers': {
    definition: llama,
    files: 'llama-tiny',
    ids: counting(90),
    options: { targetModules: 'all-linear' },
  },
  'LLaMA, DoRA and a head trained whole': {
    definition: llama,
    files: 'llama-tiny',
    ids: counting(90),
    options: { dora: true, modulesToSave: ['lm_head'] },
  },
  'BLOOM, linear biases of attention': { definition: bloom, files: 'bloom/heads-6', ids: counting(40) },
  'ChatGLM, prompts read in both directions': {
    definition: chatglm,
    files: 'chatglm/chatglm1',
    // [gMASK] and <sop> end the prompt.
    ids: (length, seed) => {
      const plain = counting(38)(length, seed)
      const end = Math.floor(length / 2)
      return plain.map((id, i) => (i === end - 2 ? 41 : i === end - 1 ? 44 : id))
    },
  },
  'LLaMA in NF4': { definition: llama, files: 'llama-tiny', ids: counting(90), quantize: 'nf4' },
  'LLaMA in int8': { definition: llama, files: 'llama-tiny', ids: counting(90), quantize: 'int8' },
}

describe.skipIf(!emulatedIsBuilt())('two steps of LoRA on emulated CUDA kernels are those of the CPU', () => {
  for (const [name, recipe] of Object.entries(recipes)) {
    test(name, async () => {
      const expected = await train(openCpu({ threads: 2 }), recipe)
      expect([...expected.keys()].filter((key) => key.startsWith('gradient')).length).toBeGreaterThan(3)
      for (const schedule of schedules) {
        expectSame(await train(openEmulated({ schedule }), recipe), expected, 2e-4)
      }
    })
  }

  test('LLaMA in bf16, but for rounding, and bit for bit the same under every schedule', async () => {
    const recipe: Recipe = { ...recipes['LLaMA, all linear layers']!, dtype: 'bf16' }
    const [first, ...others] = await Promise.all(
      schedules.map((schedule) => train(openEmulated({ schedule }), recipe)),
    )
    for (const other of others) expectSame(other, first!, 0)
    const expected = await train(openCpu({ threads: 2 }), recipe)
    for (const key of ['loss 0.0', 'loss 0.1'])
      expect(first!.get(key)![0]! / expected.get(key)![0]!).toBeCloseTo(1, 2)
  })
})

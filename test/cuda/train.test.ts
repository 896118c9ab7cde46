// Training steps on the kernels for NVIDIA GPUs, emulated on the processor, beside the CPU backend.
import { describe, expect, test } from 'vitest'
import type { ModelDefinition } from '@ift/core'
import { TrainingSteps } from '@ift/core/testing'
import { openCpu } from '@ift/kernels-cpu'
import { bloom } from '@ift/model-bloom'
import { chatglm } from '@ift/model-chatglm'
import { llama } from '@ift/model-llama'
import { lora, type LoraOptions } from '@ift/peft-lora'
import { quantizeLinears, type Backend, type FloatDType, type QuantFormat } from '@ift/tensor'
import { emulatedIsBuilt, openEmulated, schedules } from '../../packages/kernels-cuda/src/emulated.fixture.js'
import { worst } from '../fixture/golden.js'
import { openTiny } from '../fixture/models.js'

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
  const { model, shape, roles } = await openTiny(backend, definition, files, {
    dtype,
    prepare: (model) => {
      if (quantize) quantizeLinears(model, quantize, [model.lmHead])
    },
  })
  const options = lora.options.parse({ r: 4, alpha: 8, dropout: 0.1, ...recipe.options })
  const peft = await lora.attach(model, options, {
    ...{ definition, shape, roles, backend, dtype, seed: 3, baseModel: files },
  })
  const trainable = [...peft.trainable()]
  const steps = new TrainingSteps({
    ...{ backend, model, peft, epsilon: 1e-4, weightDecay: 0.01, clipNorm: 0.5, seed: 11 },
  })
  const trace: Trace = new Map()
  for (const step of [0, 1]) {
    const micros = [0, 1].map((micro) =>
      [5, 17, 12].map((length, i) => {
        const ids = Int32Array.from(recipe.ids(length, 7 * step + 3 * micro + i))
        return { ids, labels: ids.map((id, at) => (at < length / 2 ? -100 : id)) }
      }),
    )
    trace.set(`losses ${step}`, Float32Array.from(await steps.backward(micros)))
    for (const { name, parameter } of trainable)
      if (parameter.grad) trace.set(`gradient ${step} ${name}`, await parameter.grad.read())
    trace.set(`squared norm ${step}`, Float32Array.of(await steps.update(learningRate)))
  }
  for (const { name, parameter } of trainable) trace.set(`weight ${name}`, await parameter.master.read())
  steps.release()
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
    const step = name.startsWith('weight') ? 10 * learningRate : 0
    expect(worst(values, other), name).toBeLessThanOrEqual(tolerance * (scale + step))
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
      // The GPU writes int8 weights out, and a CPU that does so too has the same sums.
      const cpu = Object.assign(openCpu({ threads: 2 }), { int8Products: false })
      const expected = await train(cpu, recipe)
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
    for (const [micro, loss] of expected.get('losses 0')!.entries())
      expect(first!.get('losses 0')![micro]! / loss).toBeCloseTo(1, 2)
  })
})

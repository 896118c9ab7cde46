import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import {
  loadWeights,
  openAdapter,
  openCheckpoint,
  type PackedBatch,
  type PeftHandle,
  type TrainableParameter,
} from '@ift/core'
import { openCpu } from '@ift/kernels-cpu'
import { llama } from '@ift/model-llama'
import { lora } from '@ift/peft-lora'
import { backward, ops, withRandom, type Backend, type CausalLM } from '@ift/tensor'
import { adamw } from './optimizer/adamw.js'
import { Optimizer } from './optimizer/optimizer.js'
import { forwardBatch } from './forward.js'
import { linear } from './schedule/linear.js'
import { learningRate } from './schedule/schedule.js'
import { packSamples } from '../data/pack.js'

interface Curve {
  optimizer: { lr: number; beta1: number; beta2: number; eps: number; weight_decay: number }
  schedule: { warmup_steps: number; steps: number }
  clip_norm: number
  lr: number[]
  loss: number[]
  grad_norm: number[]
  steps: { ids: number[]; labels: number[] }[][][]
}

const fixture = (path: string) => fileURLToPath(new URL(`../../../../fixtures/${path}`, import.meta.url))
const readCurve = (path: string) => JSON.parse(readFileSync(fixture(path), 'utf8')) as Curve

async function openTiny(backend: Backend): Promise<CausalLM> {
  const config = llama.parseConfig(
    JSON.parse(readFileSync(fixture('llama-tiny/config.json'), 'utf8')) as Record<string, unknown>,
  )
  const model = llama.build(config)
  await loadWeights(model, llama, config, await openCheckpoint(fixture('llama-tiny')), {
    backend,
    dtype: 'f32',
  })
  return model
}

/** Trains over the micro-batches of a recorded curve and compares every number of every step. */
async function follow(
  curve: Curve,
  backend: Backend,
  model: CausalLM,
  peft: PeftHandle | null,
  trainable: readonly TrainableParameter[],
): Promise<void> {
  const { lr, beta1, beta2, eps, weight_decay: weightDecay } = curve.optimizer
  const optimizer = new Optimizer(backend, trainable, {
    definition: adamw,
    options: { beta1, beta2, epsilon: eps },
    weightDecay,
    clipNorm: curve.clip_norm,
  })
  const schedule = {
    course: linear,
    peak: lr,
    totalSteps: curve.schedule.steps,
    warmupSteps: curve.schedule.warmup_steps,
    minRatio: 0,
  } as const
  for (const [step, micros] of curve.steps.entries()) {
    const batches: PackedBatch[] = micros.map((sequences) =>
      packSamples(
        sequences.map(({ ids, labels }) => ({ ids: Int32Array.from(ids), labels: Int32Array.from(labels) })),
      ),
    )
    const trained = batches.reduce((sum, batch) => sum + batch.trainedTokens, 0)
    let loss = 0
    for (const [micro, batch] of batches.entries()) {
      const part = withRandom({ seed: 0, step, micro }, () =>
        forwardBatch({ backend, model, peft }, batch, ({ hidden, targets }) => {
          const result = ops.linearCrossEntropy(hidden, model.lmHead, targets, {
            gradScale: 1 / trained,
          })
          backward(result)
          return result
        }),
      )
      loss += (await part.read())[0]!
      part.release()
    }
    // The curve was recorded with transformers' schedule, whose warm-up is one step behind.
    const rate = curve.lr[step]!
    const behind = step < schedule.warmupSteps ? 1 : 0
    expect(learningRate(schedule, step)).toBeCloseTo(curve.lr[step + behind]!, 12)
    const norm = await optimizer.update(rate)
    expect(loss, `loss of step ${step}`).toBeCloseTo(curve.loss[step]!, 4)
    expect(Math.sqrt((await norm.read())[0]!), `norm of step ${step}`).toBeCloseTo(curve.grad_norm[step]!, 3)
    norm.release()
  }
  optimizer.release()
}

test('twenty steps of LoRA follow Hugging Face PEFT', async () => {
  const backend = openCpu({ threads: 2 })
  const model = await openTiny(backend)
  const adapter = await openAdapter(fixture('peft-lora/train-20/initial'))
  const config = llama.parseConfig(
    JSON.parse(readFileSync(fixture('llama-tiny/config.json'), 'utf8')) as Record<string, unknown>,
  )
  const peft = await lora.attach(model, lora.fromAdapterConfig(adapter.config), {
    definition: llama,
    shape: llama.shape(config),
    roles: llama.roles(config),
    backend,
    dtype: 'f32',
    seed: 0,
    baseModel: 'llama-tiny',
  })
  await peft.load(adapter)
  const trainable = [...peft.trainable()]
  await follow(readCurve('peft-lora/train-20/curve.json'), backend, model, peft, trainable)
  const final = await openAdapter(fixture('peft-lora/train-20/final'))
  for (const { name, parameter } of trainable) {
    const [found, expected] = [await parameter.master.read(), await final.read(name)]
    const worst = found.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0)
    expect(worst, name).toBeLessThan(1e-3)
  }
  peft.release()
  model.release()
  expect(backend.memory().buffers).toBe(0)
  backend.close()
})

test('twenty steps of all parameters follow transformers', async () => {
  const backend = openCpu({ threads: 2 })
  const model = await openTiny(backend)
  const trainable: TrainableParameter[] = []
  for (const [name, parameter] of model.namedParameters()) {
    parameter.setTrainable(true)
    trainable.push({ name, parameter, lrScale: 1, decay: parameter.shape.length > 1 })
  }
  await follow(readCurve('llama-tiny/train-full-20.json'), backend, model, null, trainable)
  model.release()
  expect(backend.memory().buffers).toBe(0)
  backend.close()
})

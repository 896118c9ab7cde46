import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import {
  loadWeights,
  openAdapter,
  openCheckpoint,
  openSafetensors,
  readStored,
  type ModelDefinition,
  type PackedBatch,
} from '@ift/core'
import { openCpu } from '@ift/kernels-cpu'
import { llama } from '@ift/model-llama'
import { adalora } from '@ift/peft-adalora'
import { backward, keep, ops, withRandom, zeros } from '@ift/tensor'
import { packSamples } from '../data/pack.js'
import { forwardBatch } from './forward.js'
import { adamw } from './optimizer/adamw.js'
import { Optimizer } from './optimizer/optimizer.js'
import { addPenalty } from './penalty.js'

interface Run {
  optimizer: { lr: number; beta1: number; beta2: number; eps: number; weight_decay: number }
  clip_norm: number
  layers: string[]
  loss: number[]
  penalty: number[]
  grad_norm: number[]
  /** What each mask has kept, by layer. */
  masks: { step: number; budget: number; kept: number[][] }[]
  steps: { ids: number[]; labels: number[] }[][][]
}

const fixture = (path: string) =>
  fileURLToPath(new URL(`../../../../fixtures/peft-adalora/train-60/${path}`, import.meta.url))
const base = fileURLToPath(new URL('../../../../fixtures/llama-variants/head-dim', import.meta.url))
const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as unknown

test('sixty steps of AdaLoRA prune what Hugging Face PEFT prunes, at the same steps', async () => {
  const run = read(fixture('run.json')) as Run
  const { tensors } = await openSafetensors(fixture('values.safetensors'))
  const expectedValues = new Float32Array((await readStored(tensors.get('E')!)).slice().buffer)
  const backend = openCpu({ threads: 2 })
  const definition: ModelDefinition = llama
  const config = llama.parseConfig(read(`${base}/config.json`) as Record<string, unknown>)
  const model = llama.build(config)
  await loadWeights(model, llama, config, await openCheckpoint(base), { backend, dtype: 'f32' })
  const adapter = await openAdapter(fixture('initial'))
  const [shape, roles] = [llama.shape(config), llama.roles(config)]
  const place = { definition, shape, roles, backend, dtype: 'f32', seed: 0, baseModel: 'head-dim' } as const
  const peft = await adalora.attach(model, adalora.fromAdapterConfig(adapter.config), { ...place, adapter })
  await peft.load(adapter)

  const { lr, beta1, beta2, eps, weight_decay: weightDecay } = run.optimizer
  const trainable = [...peft.trainable()]
  const optimizer = new Optimizer(backend, trainable, {
    ...{ definition: adamw, options: { beta1, beta2, epsilon: eps }, weightDecay, clipNorm: run.clip_norm },
  })
  const valuesOf = run.layers.map(
    (path) => trainable.find(({ name }) => name === `base_model.model.${path}.lora_E`)!.parameter,
  )
  const rank = valuesOf[0]!.shape[0]!
  const keptNow = async () => {
    const { config: written } = await peft.save()
    const pattern = written['rank_pattern'] as Record<string, boolean[]> | null
    return pattern && run.layers.map((path) => pattern[`${path}.lora_E`]!.map(Number))
  }
  const totalSteps = run.steps.length
  let masks = 0
  for (const [i, micros] of run.steps.entries()) {
    const step = i + 1
    const batches: PackedBatch[] = micros.map((sequences) =>
      packSamples(
        sequences.map(({ ids, labels }) => ({ ids: Int32Array.from(ids), labels: Int32Array.from(labels) })),
      ),
    )
    const trained = batches.reduce((sum, batch) => sum + batch.trainedTokens, 0)
    const loss = keep(zeros(backend, [1], 'f32'))
    for (const [micro, batch] of batches.entries())
      withRandom({ seed: 0, step, micro }, () => {
        forwardBatch({ backend, model, peft }, batch, ({ hidden, targets }) => {
          const part = ops.linearCrossEntropy(hidden, model.lmHead, targets, {
            gradScale: 1 / trained,
          })
          backend.axpby(loss.buf, 1, loss.buf, 1, part.buf, 1, 'f32')
          backward(part)
        })
      })
    const penalty = addPenalty(backend, peft, loss, null)!
    const norm = await optimizer.update(lr, (gradientScale) =>
      peft.afterUpdate!({ step, totalSteps, gradientScale }),
    )
    expect((await loss.read())[0], `loss of step ${step}`).toBeCloseTo(run.loss[i]!, 4)
    expect((await penalty.read())[0], `penalty of step ${step}`).toBeCloseTo(run.penalty[i]!, 5)
    expect(Math.sqrt((await norm.read())[0]!), `norm of step ${step}`).toBeCloseTo(run.grad_norm[i]!, 3)
    for (const one of [loss, penalty, norm]) one.release()
    for (const [layer, parameter] of valuesOf.entries()) {
      const found = await parameter.master.read()
      const start = (i * valuesOf.length + layer) * rank
      for (const [at, value] of found.entries()) {
        const expected = expectedValues[start + at]!
        expect(Math.abs(value - expected), `E of ${run.layers[layer]!} at step ${step}`).toBeLessThan(2e-5)
        if (expected === 0) expect(Math.abs(value), `E of ${run.layers[layer]!} at step ${step}`).toBe(0)
      }
    }
    const mask = run.masks[masks]
    if (mask?.step === step) {
      masks++
      expect(await keptNow(), `mask of step ${step}`).toEqual(mask.kept)
      expect(mask.kept.flat().reduce((sum, kept) => sum + kept, 0)).toBe(mask.budget)
    } else expect(await keptNow(), `mask after step ${step}`).toEqual(run.masks[masks - 1]?.kept ?? null)
  }
  expect(masks).toBe(run.masks.length)

  const final = await openAdapter(fixture('final'))
  const { config: written, tensors: saved, empty } = await peft.save()
  expect(written['total_step']).toBe(totalSteps)
  const names = [...final.names()]
  expect([...saved.keys(), ...empty!.keys()].sort()).toEqual(names.sort())
  for (const name of names) {
    const found = saved.get(name)
    expect(found?.shape ?? empty!.get(name), name).toEqual(final.shape(name))
    if (!found) continue
    const [values, expected] = [await found.read(), await final.read(name)]
    const worst = values.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0)
    expect(worst, name).toBeLessThan(1e-4)
  }
  peft.release()
  optimizer.release()
  model.release()
  expect(backend.memory().buffers).toBe(0)
  backend.close()
})

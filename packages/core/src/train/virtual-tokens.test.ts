// Training behind virtual tokens: packed, with what samples share computed once, is one sequence at a time.
import { expect, describe, test } from 'vitest'
import { openCpu } from '@ift/kernels-cpu'
import { llama } from '@ift/model-llama'
import { backward, ops, recomputeModules, scope, tensor } from '@ift/tensor'
import { ignoredLabel } from '../data/encode.js'
import { packSamples } from '../data/pack.js'
import type { Sample } from '../contract/data.js'
import type { PeftHandle } from '../contract/index.js'
import { evaluateLoss } from './evaluate.js'
import { forwardBatch } from './forward.js'
import { families, kinds, openTiny, plainInput, textOf, type Tiny } from './virtual-tokens.fixture.js'

const beginning = [5, 9, 2, 7, 11, 3, 1, 8, 6, 4]

/** Three that begin alike, and one of which every token is learned. */
function samplesOf(tiny: Tiny): Sample[] {
  const sample = (prompt: readonly number[], answer: readonly number[]): Sample => {
    const ids = textOf(tiny, prompt, answer)
    const learned = (i: number) => i >= ids.length - answer.length
    return {
      ids: Int32Array.from(ids),
      labels: Int32Array.from(ids, (id, i) => (learned(i) ? id : ignoredLabel)),
    }
  }
  const text = [12, 3, 30, 7]
  return [
    sample([...beginning, 13, 14], [15, 16]),
    sample([...beginning, 20], [21, 22, 23]),
    sample([...beginning, 13, 2, 2, 9], [5]),
    { ids: Int32Array.from(text), labels: Int32Array.from(text) },
  ]
}

/** Loss, and gradients by name, of which every one is set to zero. */
async function take(
  tiny: Tiny,
  loss: number,
): Promise<{ loss: number; gradients: Map<string, Float32Array> }> {
  const gradients = new Map<string, Float32Array>()
  for (const [name, parameter] of tiny.parameters) {
    gradients.set(name, (await parameter.grad?.read()) ?? new Float32Array())
    parameter.zeroGrad()
  }
  return { loss, gradients }
}

async function oneByOne(tiny: Tiny, samples: readonly Sample[], gradScale: number) {
  const { backend, model, prefix } = tiny
  let sum = 0
  for (const { ids, labels } of samples) {
    const outputs = [...ids.keys()].filter((i) => i + 1 < ids.length && labels[i + 1] !== ignoredLabel)
    if ('rows' in prefix && labels[0] !== ignoredLabel) outputs.unshift(-1)
    const targets = outputs.map((i) => labels[i + 1]!)
    const loss = scope(() => {
      const hidden = model.call(plainInput(tiny, [...ids], outputs))
      const part = ops.linearCrossEntropy(
        hidden,
        model.lmHead,
        tensor(backend, targets, [targets.length], 'i32'),
        { gradScale },
      )
      backward(part)
      return part
    })
    sum += (await loss.read())[0]!
    loss.release()
  }
  return take(tiny, sum)
}

async function packed(tiny: Tiny, samples: readonly Sample[], share: boolean, gradScale: number) {
  const { model, prefix } = tiny
  const batch = packSamples(samples, share, model.promptOf?.bind(model), 'rows' in prefix)
  const loss = forwardBatch(tiny, batch, ({ hidden, targets }) => {
    const part = ops.linearCrossEntropy(hidden, model.lmHead, targets, { gradScale })
    backward(part)
    return part
  })
  const [value] = await loss.read()
  loss.release()
  return { ...(await take(tiny, value!)), batch }
}

const expectClose = (found: Float32Array, expected: Float32Array, what: string) => {
  const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
  expect(largest, what).toBeGreaterThan(1e-4)
  expect(found.length, what).toBe(expected.length)
  const off = expected.reduce((most, x, i) => Math.max(most, Math.abs(x - found[i]!)), 0)
  expect(off / largest, what).toBeLessThan(2e-5)
}

describe.each(families)('%s', (_name, definition, folder) => {
  test.each(kinds)('%s: packed and shared is one sequence at a time', async (kind) => {
    const backend = openCpu({ threads: 2 })
    const tiny = await openTiny(backend, definition, folder, kind)
    const samples = samplesOf(tiny)
    const learned = 2 + 3 + 1 + 3 + (kind === 'rows' ? 1 : 0)
    const buffers = backend.memory().buffers
    const expected = await oneByOne(tiny, samples, 1 / learned)
    const shares = tiny.model.promptOf === undefined
    for (const share of shares ? [false, true] : [false]) {
      const { batch, loss, gradients } = await packed(tiny, samples, share, 1 / learned)
      expect(batch.trainedTokens).toBe(learned)
      expect(batch.prefixes !== undefined).toBe(share)
      expect(loss).toBeCloseTo(expected.loss, 5)
      for (const [name, gradient] of expected.gradients)
        expectClose(gradients.get(name)!, gradient, `${name}, ${share ? 'shared' : 'packed'}`)
      const evaluated = await evaluateLoss(backend, tiny.model, tiny.peft, [batch])
      expect(evaluated.loss).toBeCloseTo(expected.loss, 5)
    }
    const layers = new Set(tiny.model.layers)
    recomputeModules(tiny.model, (_, module) => layers.has(module))
    const again = await packed(tiny, samples, shares, 1 / learned)
    for (const [name, gradient] of expected.gradients)
      expectClose(again.gradients.get(name)!, gradient, `${name}, layers computed again`)
    // Gradients have memory of their own from the first pass on.
    expect(backend.memory().buffers).toBeLessThanOrEqual(buffers + tiny.parameters.size)
    tiny.release()
    backend.close()
  })
})

test('a row that predicts the first token of many texts has a gradient that is rounded once', async () => {
  const gradient = async (dtype: 'f32' | 'bf16') => {
    const backend = openCpu({ threads: 2 })
    const tiny = await openTiny(backend, llama, 'llama-tiny', 'rows', { dtype })
    const samples = Array.from({ length: 1000 }, (): Sample => {
      const ids = Int32Array.of(7, 5)
      return { ids, labels: Int32Array.of(ids[0]!, ignoredLabel) }
    })
    const { gradients, batch } = await packed(tiny, samples, false, 1 / samples.length)
    expect(batch.trainedTokens).toBe(1000)
    tiny.release()
    backend.close()
    return gradients.get('rows')!
  }
  const [exact, half] = [await gradient('f32'), await gradient('bf16')]
  const norm = (x: Float32Array) => Math.hypot(...x)
  const off = norm(half.map((x, i) => x - exact[i]!)) / norm(exact)
  expect(off).toBeLessThan(0.03)
})

test('evaluation with the method switched off has no first tokens', async () => {
  const backend = openCpu({ threads: 2 })
  const tiny = await openTiny(backend, llama, 'llama-tiny', 'rows')
  const { model, peft } = tiny
  const loss = async (handle: PeftHandle | null, learnFirst: boolean) =>
    (await evaluateLoss(backend, model, handle, [packSamples(samplesOf(tiny), false, undefined, learnFirst)]))
      .loss
  const off = { ...peft, prefix: undefined }
  expect(await loss(off, true)).toBe(await loss(null, false))
  expect(await loss(peft, true)).not.toBe(await loss(null, false))
  tiny.release()
  backend.close()
})

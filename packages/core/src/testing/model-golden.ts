import { join } from 'node:path'
import { openSafetensors } from '../checkpoint/safetensors.js'
import { readStored, readValues, transposed, type StoredTensor } from '../checkpoint/stored.js'
import { claim, claimClose } from './claim.js'
import { logitsOf, lossAndGradients, packedInput, type Ids } from './forward.js'
import type { Backend } from '@ift/tensor'
import type { ModelDefinition } from '../contract/model.js'
import { ModelBench } from './model-bench.js'

interface Golden {
  readonly sequences: readonly Ids[]
  readonly labels: readonly Ids[]
  readonly trained: number
  values(name: string): Promise<Float32Array>
  readonly tensors: ReadonlyMap<string, StoredTensor>
}

async function readGolden(dir: string): Promise<Golden> {
  const { tensors } = await openSafetensors(join(dir, 'golden.safetensors'))
  const get = (name: string): StoredTensor => {
    const t = tensors.get(name)
    claim(t !== undefined, `golden.safetensors has no ${name}.`)
    return t
  }
  const ints = async (name: string) => {
    const bytes = await readStored(get(name))
    return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  }
  const [ids, cu, labels, trained] = [
    await ints('input_ids'),
    await ints('cu_seqlens'),
    await ints('labels'),
    await ints('trained_tokens'),
  ]
  const cut = (all: Int32Array) => Array.from(cu.subarray(1), (end, s) => all.subarray(cu[s], end))
  return {
    sequences: cut(ids),
    labels: cut(labels),
    trained: trained[0]!,
    tensors,
    values: (name) => readValues(get(name)),
  }
}

/** Logits and loss of the reference implementation, each sequence alone. */
export function goldenLogits(bench: ModelBench, dir: string): Promise<void> {
  return bench.with(async ({ backend, model }) => {
    const golden = await readGolden(dir)
    const expected = await golden.values('logits')
    let start = 0
    let loss = 0
    for (const [i, sequence] of golden.sequences.entries()) {
      const logits = await logitsOf(model, () => packedInput(backend, model, [sequence]))
      claimClose(
        `logits of sequence ${i}`,
        logits,
        expected.subarray(start, start + logits.length),
        bench.tolerance,
      )
      start += logits.length
      loss += (
        await lossAndGradients(backend, model, [sequence], [golden.labels[i]!], 1 / golden.trained)
      )[0]!
    }
    claim(
      start === expected.length,
      `golden logits are ${expected.length} values, the sequences have ${start}.`,
    )
    claimClose('loss', [loss], await golden.values('loss'), bench.tolerance)
  })
}

/** Gradients of the reference implementation for every parameter. */
export function goldenGradients(bench: ModelBench, dir: string): Promise<void> {
  return bench.with(async ({ backend, model }) => {
    const golden = await readGolden(dir)
    bench.train(model)
    for (const [i, sequence] of golden.sequences.entries())
      await lossAndGradients(backend, model, [sequence], [golden.labels[i]!], 1 / golden.trained)
    const gradients = await bench.gradients(model)
    let compared = 0
    for (const [name, stored] of golden.tensors) {
      if (!name.startsWith('grad.')) continue
      const path = name.slice('grad.'.length)
      const found = gradients.get(path)
      claim(found !== undefined, `${path} has no gradient.`)
      const isTurned = bench.definition.transposed?.(path) === true
      const expected = await readValues(isTurned ? transposed(stored) : stored)
      const largest = expected.reduce((most, g) => Math.max(most, Math.abs(g)), 0)
      for (const [e, g] of expected.entries())
        claim(
          Math.abs(found[e]! - g) <= bench.tolerance * largest + 1e-9,
          `gradient of ${path}, element ${e}: expected ${g}, found ${found[e]!}.`,
        )
      compared++
    }
    claim(compared === gradients.size, `${compared} golden gradients for ${gradients.size} parameters.`)
  })
}

/** How far a family is from its reference implementation. */
export interface GoldenErrors {
  /** Largest difference of a logit, relative to 1 + |logit|. */
  readonly logits: number
  /** Largest difference of an element of a gradient, relative to the largest element of that parameter's gradient. */
  readonly gradients: number
}

/**
 * The errors that `goldenLogits` and `goldenGradients` bound, measured on a device in f32; `golden` as in
 * ModelConformanceOptions.
 */
export async function goldenErrors(
  definition: ModelDefinition,
  golden: string,
  open?: () => Backend,
): Promise<GoldenErrors> {
  const bench = new ModelBench(definition, { golden, ...(open && { open }) })
  let [logits, gradients] = [0, 0]
  await bench.with(async ({ backend, model }) => {
    const reference = await readGolden(golden)
    const expected = await reference.values('logits')
    let start = 0
    for (const sequence of reference.sequences) {
      const found = await logitsOf(model, () => packedInput(backend, model, [sequence]))
      for (const [i, value] of found.entries()) {
        const wanted = expected[start + i]!
        logits = Math.max(logits, Math.abs(value - wanted) / (1 + Math.abs(wanted)))
      }
      start += found.length
    }
    bench.train(model)
    for (const [i, sequence] of reference.sequences.entries())
      await lossAndGradients(backend, model, [sequence], [reference.labels[i]!], 1 / reference.trained)
    for (const [path, found] of await bench.gradients(model)) {
      const stored = reference.tensors.get(`grad.${path}`)
      claim(stored !== undefined, `golden.safetensors has no grad.${path}.`)
      const wanted = await readValues(definition.transposed?.(path) === true ? transposed(stored) : stored)
      const largest = wanted.reduce((most, g) => Math.max(most, Math.abs(g)), 0)
      for (const [e, g] of wanted.entries())
        if (largest > 1e-6) gradients = Math.max(gradients, Math.abs(found[e]! - g) / largest)
    }
  })
  return { logits, gradients }
}

import {
  backward,
  forwardInput,
  keep,
  noGrad,
  ops,
  PagedKvCache,
  recomputeModules,
  scope,
  tensor,
  type KeysAndValues,
  type KvSource,
} from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { assertNoLeaks } from '@ift/tensor/testing'
import { ignoredLabel } from '../data/encode.js'
import { packSamples } from '../data/pack.js'
import type { Sample } from '../contract/data.js'
import type { PeftPrefix } from '../contract/index.js'
import { forwardBatch } from '../train/forward.js'
import { claim, claimClose, claimSame } from './claim.js'
import { claimSlope } from './claim-slope.js'
import { inputBehind, logitsOf, lossAndGradients, lossOf, packedInput } from './forward.js'
import type { ModelBench } from './model-bench.js'

/** Sequences laid end to end do not see each other. */
export function packing(bench: ModelBench): Promise<void> {
  return bench.with(async ({ backend, model, config }) => {
    const sequences = bench.sequences(config)
    const together = await logitsOf(model, () => packedInput(backend, model, sequences))
    let start = 0
    for (const [i, sequence] of sequences.entries()) {
      const alone = await logitsOf(model, () => packedInput(backend, model, [sequence]))
      claimClose(`logits of sequence ${i}`, together.subarray(start, start + alone.length), alone, 1e-5)
      start += alone.length
    }
  })
}

/** `outputRows` picks rows and changes none. */
export function rows(bench: ModelBench): Promise<void> {
  return bench.with(async ({ backend, model, config }) => {
    const sequences = bench.sequences(config)
    const { vocab } = bench.definition.shape(config)
    const wanted = [3, 0, 7]
    const all = await logitsOf(model, () => packedInput(backend, model, sequences))
    const some = await logitsOf(model, () => ({
      ...packedInput(backend, model, sequences),
      outputRows: tensor(backend, wanted, [wanted.length], 'i32'),
    }))
    for (const [i, row] of wanted.entries()) {
      const expected = all.subarray(row * vocab, (row + 1) * vocab)
      claimClose(`logits of row ${row}`, some.subarray(i * vocab, (i + 1) * vocab), expected, 1e-5)
    }
  })
}

/** Embedded ids in the place of ids. */
export function embeds(bench: ModelBench): Promise<void> {
  return bench.with(async ({ backend, model, config }) => {
    const sequences = bench.sequences(config)
    const expected = await logitsOf(model, () => packedInput(backend, model, sequences))
    const found = await logitsOf(model, () => {
      const { ids, ...rest } = packedInput(backend, model, sequences)
      return { ...rest, embeds: model.embeddings.call(ids!) }
    })
    claimSame('logits from embeddings', found, expected)
  })
}

/** Token by token through a paged cache, sequences of different lengths at once. */
export function decoding(bench: ModelBench): Promise<void> {
  return bench.with(async ({ backend, model, config }) => {
    const { layers, kvHeads, headDim, vocab } = bench.definition.shape(config)
    const sequences = bench.sequences(config, [6, 4, 7])
    const cache = new PagedKvCache(backend, {
      layers,
      kvHeads,
      headDim,
      dtype: 'f32',
      pageSize: 4,
      pages: 2,
    })
    const ids = sequences.map(() => cache.add())
    const done = sequences.map(() => 0)
    const found = sequences.map((s) => new Float32Array(s.length * vocab))
    const prompts = sequences.map((s) => model.promptOf?.(s) ?? { length: 0, blank: 0 })
    // A prompt of two tokens, or of all that is read in both directions, then one token of every sequence that has one.
    for (let turn = 0; done.some((n, i) => n < sequences[i]!.length); turn++) {
      const live = sequences.map((s, i) => ({ s, i })).filter(({ s, i }) => done[i]! < s.length)
      const rows = live.map(({ s, i }) =>
        Math.min(turn === 0 ? Math.max(2, prompts[i]!.length) : 1, s.length - done[i]!),
      )
      const logits = await logitsOf(model, () => {
        const step = cache.step(live.map(({ i }, n) => [ids[i]!, rows[n]!] as const))
        const next = live.flatMap(({ s, i }, n) => s.slice(done[i], done[i]! + rows[n]!))
        return forwardInput(backend, {
          ids: next,
          lengths: rows,
          step,
          prompts: model.promptOf && live.map(({ i }) => prompts[i]!),
          starts: live.map(({ i }) => done[i]!),
        })
      })
      let at = 0
      for (const [n, { i }] of live.entries()) {
        found[i]!.set(logits.subarray(at * vocab, (at + rows[n]!) * vocab), done[i]! * vocab)
        at += rows[n]!
        done[i]! += rows[n]!
      }
    }
    for (const [i, sequence] of sequences.entries()) {
      const expected = await logitsOf(model, () => packedInput(backend, model, [sequence]))
      claimClose(`logits of sequence ${i}, decoded`, found[i]!, expected, 1e-5)
    }
    cache.release()
  })
}

/** Layers that run twice give the same gradients, bit for bit. */
export async function recomputing(bench: ModelBench): Promise<void> {
  const gradients = (recompute: boolean) => {
    let found = new Map<string, Float32Array>()
    return bench
      .with(async ({ backend, model, config }) => {
        const sequences = bench.sequences(config)
        bench.train(model)
        if (recompute) {
          const layers = new Set(model.layers)
          const wrapped = recomputeModules(model, (_, module) => layers.has(module))
          claim(
            wrapped.length === layers.size,
            `${wrapped.length} of ${layers.size} layers can be recomputed.`,
          )
        }
        await lossAndGradients(backend, model, sequences, sequences, 0.125)
        found = await bench.gradients(model)
      })
      .then(() => found)
  }
  const [kept, again] = [await gradients(false), await gradients(true)]
  claim(kept.size > 0 && kept.size === again.size, `${again.size} of ${kept.size} parameters have gradients.`)
  for (const [path, gradient] of kept) claimSame(`gradient of ${path}`, again.get(path)!, gradient)
}

/** Samples that begin alike give the same loss and gradients when their beginning is computed once. */
export async function sharing(bench: ModelBench): Promise<void> {
  const possible =
    bench.definition.shape(bench.definition.parseConfig(await bench.json())).bidirectionalPrompt !== true
  const step = (share: boolean) => {
    let found: { loss: Float32Array; gradients: Map<string, Float32Array>; rows: number } | undefined
    return bench
      .with(async ({ backend, model, config }) => {
        const [beginning = [], ...ends] = bench.sequences(config, [10, 2, 4, 3])
        // Two tokens of every end are learned; of the second one only the last, behind tokens of its own.
        const samples: Sample[] = ends.map((end) => ({
          ids: Int32Array.from([...beginning, ...end]),
          labels: Int32Array.from([
            ...beginning.map(() => ignoredLabel),
            ...end.map((id, i) => (i < end.length - 2 ? ignoredLabel : id)),
          ]),
        }))
        bench.train(model)
        const batch = packSamples(samples, share && possible, model.promptOf?.bind(model))
        const loss = forwardBatch({ backend, model, peft: null }, batch, ({ hidden, targets }) => {
          const sum = ops.linearCrossEntropy(hidden, model.lmHead, targets, { gradScale: 0.25 })
          backward(sum)
          return sum
        })
        found = { loss: await loss.read(), gradients: await bench.gradients(model), rows: batch.ids.length }
        loss.release()
      })
      .then(() => found!)
  }
  const [whole, shared] = [await step(false), await step(true)]
  claim(!possible || shared.rows < whole.rows, 'Nothing was shared.')
  claimClose('loss', shared.loss, whole.loss, 1e-5)
  for (const [path, gradient] of whole.gradients)
    claimClose(`gradient of ${path}`, shared.gradients.get(path)!, gradient, 1e-5)
}

/**
 * Rows of embedded tokens as virtual rows, and the keys and values that layers make of them as virtual ones, are those tokens in front:
 * what follows is placed and masked behind them.
 */
export function virtualTokens(bench: ModelBench): Promise<void> {
  return bench.with(async ({ backend, model, config }) => {
    const { vocab } = bench.definition.shape(config)
    const sequences = bench.sequences(config, [5, 4])
    const before = [1, 2, 3]
    const { length } = before
    const expected: number[] = []
    for (const sequence of sequences) {
      const whole = await logitsOf(model, () => packedInput(backend, model, [[...before, ...sequence]]))
      expected.push(...whole.subarray(length * vocab))
    }
    const behind = (prefix: PeftPrefix) =>
      logitsOf(model, () => inputBehind(backend, model, sequences, prefix))
    const rows = () => model.embeddings.call(tensor(backend, before, [length], 'i32'))
    claimClose('logits behind virtual rows', await behind({ length, rows }), expected, 1e-5)
    // What is read in both directions has other keys when something follows.
    if (model.promptOf !== undefined) return
    const layers: KeysAndValues[] = []
    await logitsOf(model, () => {
      const input = packedInput(backend, model, [before])
      const attend: KvSource['attend'] = (layer, q, k, v, options) => {
        layers[layer] = { k: keep(ops.concatRows([k])), v: keep(ops.concatRows([v])) }
        return input.kv.attend(layer, q, k, v, options)
      }
      return { ...input, kv: { attend } }
    })
    const found = await behind({ length, keysAndValues: () => layers })
    claimClose('logits behind virtual keys and values', found, expected, 1e-5)
    for (const { k, v } of layers) for (const kept of [k, v]) kept.release()
  })
}

/** Inference, a training step and an error all give back what they took. */
export function leaks(bench: ModelBench): Promise<void> {
  return bench.with(async ({ backend, model, config }) => {
    const sequences = bench.sequences(config)
    const check = assertNoLeaks(backend)
    await logitsOf(model, () => packedInput(backend, model, sequences))
    check()
    for (const [, parameter] of model.namedParameters()) parameter.setTrainable(true)
    const checkStep = assertNoLeaks(backend)
    await lossAndGradients(backend, model, sequences, sequences, 1)
    for (const [, parameter] of model.namedParameters()) parameter.zeroGrad()
    checkStep()
    for (const [, parameter] of model.namedParameters()) parameter.setTrainable(false)
    const checkError = assertNoLeaks(backend)
    let failed = false
    const failing: KvSource = {
      attend() {
        failed = true
        throw new Error('attention fails')
      },
    }
    try {
      await logitsOf(model, () => packedInput(backend, model, sequences, failing))
    } catch (error) {
      claim(failed, `The pass failed before attention: ${String(error)}`)
    }
    claim(failed, 'The pass did not use its KvSource.')
    checkError()
  })
}

/** The gradient of all parameters along a random direction is the slope of the loss, in float64. */
export function differences(bench: ModelBench): Promise<void> {
  return bench.with(
    async ({ backend, model, config }) => {
      const sequences = bench.sequences(config)
      bench.train(model)
      const trained = sequences.reduce((n, s) => n + Math.max(0, s.length - 1), 0)
      await lossAndGradients(backend, model, sequences, sequences, 1 / trained)
      await claimSlope(
        backend,
        [...model.namedParameters()].map(([, parameter]) => parameter),
        () => noGrad(() => scope(() => lossOf(backend, model, sequences, sequences, 1 / trained))),
      )
    },
    () => referenceBackend({ exact: true }),
  )
}

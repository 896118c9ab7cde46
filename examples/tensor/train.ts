/** Trains a tiny decoder to reverse strings of digits, on @ift/tensor alone. Run: npx jiti train.ts */
import { pathToFileURL } from 'node:url'
import {
  backward,
  full,
  keep,
  noGrad,
  ops,
  PackedKv,
  PagedKvCache,
  random,
  scope,
  segments,
  tensor,
  zeros,
  type Backend,
  type Parameter,
  type Tensor,
} from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { Decoder, type Sizes } from './decoder.js'

const sizes: Sizes = { vocab: 12, hidden: 32, heads: 4, layers: 2 }
const separator = 10
const end = 11

/** Digits, separator, the digits reversed, end. */
const reversed = (digits: readonly number[]): number[] => [...digits, separator, ...digits.toReversed(), end]

const ints = (backend: Backend, values: readonly number[]): Tensor =>
  tensor(backend, values, [values.length], 'i32')

/** Frequencies of rotary positions. */
function frequencies(backend: Backend): Tensor {
  const half = sizes.hidden / sizes.heads / 2
  return tensor(
    backend,
    Array.from({ length: half }, (_, i) => 100 ** (-i / half)),
    [half],
  )
}

/** A decoder with random weights, every one of them trainable. */
function build(backend: Backend): Decoder {
  const model = new Decoder(sizes)
  let stream = 0
  for (const [path, parameter] of model.namedParameters()) {
    const { shape } = parameter
    if (path.endsWith('norm.weight')) parameter.assign(full(backend, shape, 1, 'f32'))
    else {
      const value = scope(() => {
        const normal = random(backend, shape, 'normal', { seed: 1, stream: stream++ })
        return ops.scale(normal, 1 / Math.sqrt(shape[1]!))
      })
      parameter.assign(value)
    }
    parameter.setTrainable(true)
  }
  return model
}

/** AdamW over all parameters. */
function optimizer(backend: Backend, parameters: readonly Parameter[]) {
  const moments = parameters.map((p) => ({
    m: keep(zeros(backend, p.shape, 'f32')),
    v: keep(zeros(backend, p.shape, 'f32')),
  }))
  return {
    step(count: number, lr: number): void {
      for (const [i, parameter] of parameters.entries()) {
        const { m, v } = moments[i]!
        const { value, grad } = parameter
        if (grad === null) continue
        const options = { lr, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, step: count }
        backend.adamw(value.buf, null, grad.buf, m.buf, v.buf, null, {
          n: value.size,
          dtype: 'f32',
          ...options,
        })
        parameter.zeroGrad()
      }
    },
    release(): void {
      for (const { m, v } of moments) {
        m.release()
        v.release()
      }
    },
  }
}

/** Loss per trained token of one batch, whose gradient is added to the parameters. */
async function learn(
  backend: Backend,
  model: Decoder,
  texts: readonly (readonly number[])[],
): Promise<number> {
  const loss = await scope(() => {
    const s = segments(
      backend,
      texts.map((ids) => ids.length - 1),
    )
    const ids = texts.flatMap((text) => text.slice(0, -1))
    const positions = texts.flatMap((text) => text.slice(1).map((_, i) => i))
    // Only what comes after the separator is trained.
    const labels = texts.flatMap((text) =>
      text.slice(1).map((id, i) => (i >= text.indexOf(separator) ? id : -100)),
    )
    const trained = labels.filter((label) => label >= 0).length
    const context = {
      positions: ints(backend, positions),
      invFreq: frequencies(backend),
      kv: new PackedKv(s),
    }
    const hidden = model.call(ints(backend, ids), context)
    const total = ops.linearCrossEntropy(hidden, model.head, ints(backend, labels), {
      gradScale: 1 / trained,
    })
    backward(total)
    return total.read()
  })
  return loss[0]!
}

/** The likeliest continuation after the separator, by one new token at a time over a paged cache. */
async function complete(backend: Backend, model: Decoder, digits: readonly number[]): Promise<number[]> {
  const headDim = sizes.hidden / sizes.heads
  const cache = new PagedKvCache(backend, {
    layers: sizes.layers,
    kvHeads: sizes.heads,
    headDim,
    dtype: 'f32',
    pages: 1,
  })
  const sequence = cache.add()
  const answer: number[] = []
  let next = [...digits, separator]
  while (answer.length <= digits.length) {
    const logits = await scope(() =>
      noGrad(() => {
        const kv = cache.step([[sequence, next.length]])
        const hidden = model.call(ints(backend, next), {
          positions: kv.positions,
          invFreq: frequencies(backend),
          kv,
        })
        return model.head.call(hidden.rows(next.length - 1, next.length)).read()
      }),
    )
    const best = logits.indexOf(Math.max(...logits))
    if (best === end) break
    answer.push(best)
    next = [best]
  }
  cache.release()
  return answer
}

/** Trains, prints the loss and three completions, and gives the share of 20 unseen strings that came out right. */
export async function main(steps: number, print: (line: string) => void): Promise<number> {
  const backend = referenceBackend()
  const model = build(backend)
  const adamw = optimizer(
    backend,
    [...model.namedParameters()].map(([, parameter]) => parameter),
  )
  let state = 1
  const digits = (): number[] =>
    Array.from({ length: 3 }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return Math.floor((state / 2 ** 32) * 10)
    })
  for (let step = 1; step <= steps; step++) {
    const batch = Array.from({ length: 16 }, () => reversed(digits()))
    const loss = await learn(backend, model, batch)
    adamw.step(step, 0.01 * Math.min(1, (2 * (steps - step + 1)) / steps))
    if (step % 50 === 0 || step === 1) print(`step ${step}  loss ${loss.toFixed(4)}`)
  }
  let right = 0
  for (let i = 0; i < 20; i++) {
    const asked = digits()
    const answer = await complete(backend, model, asked)
    if (answer.join('') === asked.toReversed().join('')) right++
    if (i < 3) print(`${asked.join('')} -> ${answer.join('')}`)
  }
  adamw.release()
  model.release()
  const { buffers } = backend.memory()
  print(`${right} of 20 unseen strings reversed; ${buffers} buffers left`)
  backend.close()
  return buffers === 0 ? right / 20 : 0
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(250, (line) => console.log(line))
}

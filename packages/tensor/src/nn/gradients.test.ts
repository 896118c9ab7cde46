import { describe, expect, it } from 'vitest'
import {
  backward,
  Linear,
  noGrad,
  ops,
  Parameter,
  random,
  recomputeModules,
  scope,
  tensor,
  TiedLinear,
  withRandom,
  type LinearLike,
  type Module,
  type Tensor,
} from '../index.js'
import { referenceBackend } from '../reference/index.js'
import {
  Decoder,
  fill,
  ints,
  Lora,
  packed,
  sequences,
  sizes,
  step,
  withLora,
  within,
} from './decoder.fixture.js'

async function gradients(model: Module): Promise<Map<string, number[]>> {
  const all = new Map<string, number[]>()
  for (const [path, parameter] of model.namedParameters()) {
    if (parameter.grad !== null) all.set(path, [...(await parameter.grad.read())])
    parameter.zeroGrad()
  }
  return all
}

describe('gradients', () => {
  it('reads what a norm, dropout or an activation made by computing it again, once for all who read it', async () => {
    const backend = referenceBackend()
    const parameter = (shape: number[], seed: number) => {
      const p = new Parameter(shape)
      p.assign(random(backend, shape, 'normal', { seed }))
      p.setTrainable(true)
      return p
    }
    const [x, gate, up, w, norm] = [
      parameter([6, 8], 1),
      parameter([16, 8], 2),
      parameter([16, 8], 3),
      parameter([8, 16], 4),
      parameter([8], 5),
    ]
    const ran: string[] = []
    for (const name of ['rmsNorm', 'layerNorm', 'dropout', 'swiglu'] as const) {
      const real = backend[name].bind(backend) as (...args: unknown[]) => void
      Object.assign(backend, {
        [name]: (...args: unknown[]) => {
          ran.push(name)
          real(...args)
        },
      })
    }
    for (const kind of ['rmsNorm', 'layerNorm'] as const) {
      const layer = (keep: boolean): Tensor => {
        const hidden =
          kind === 'rmsNorm'
            ? ops.rmsNorm(x.value, norm.value, 1e-5)
            : ops.layerNorm(x.value, norm.value, norm.value, 1e-5)
        const read = (t: Tensor) => {
          if (keep) {
            t.recomputed?.release()
            t.recomputed = null
          }
          return t
        }
        const h = ops.swiglu(
          ops.linear(read(ops.dropout(read(hidden), 0.5)), gate.value),
          ops.linear(read(hidden.reshape(6, 8)), up.value),
        )
        return ops.linear(read(h), w.value)
      }
      const run = async (keep: boolean) => {
        ran.length = 0
        const allocated = scope(() => {
          const call = (t: Tensor, addTo?: Tensor) => ops.linear(t, up.value, { addTo })
          const head = { inFeatures: 8, outFeatures: 16, call }
          const y = scope(() => withRandom({ seed: 1, step: 1, micro: 1 }, () => layer(keep)))
          const { allocated } = backend.memory()
          backward(ops.linearCrossEntropy(y, head, ints(backend, [1, 2, 3, 4, 5, 6]), { gradScale: 1 }))
          return allocated
        })
        const grads = await Promise.all([x, gate, up, w, norm].map((p) => p.grad!.read()))
        for (const p of [x, gate, up, w, norm]) p.zeroGrad()
        return { allocated, grads, ran: [...ran] }
      }
      const again = await run(false)
      const kept = await run(true)
      // The last dropout of each is that of the gradient.
      expect(again.ran).toEqual([kind, 'dropout', 'swiglu', 'swiglu', kind, 'dropout', 'dropout'])
      expect(kept.ran).toEqual([kind, 'dropout', 'swiglu', 'dropout'])
      expect(again.grads).toEqual(kept.grads)
      // The output of the norm, with and without dropout, and that of the activation, in f32.
      expect(kept.allocated - again.allocated).toBe(4 * (6 * 8 + 6 * 8 + 6 * 16))
    }
    for (const p of [x, gate, up, w, norm]) p.release()
    expect(backend.memory().buffers).toBe(0)
  })

  it('recomputation gives the same bits, dropout included, and needs less memory', async () => {
    for (const dtype of ['f32', 'bf16'] as const) {
      const backend = referenceBackend()
      const model = withLora(backend, dtype)
      backend.resetPeak()
      const plainLoss = await scope(() => step(model, backend).read())
      const plainPeak = backend.memory().peak
      const plain = await gradients(model)
      const paths = [...model.namedParameters()].map(([path]) => path)
      expect(recomputeModules(model, (path) => /^layers\.\d+$/.test(path))).toEqual([
        'layers.0',
        'layers.1',
        'layers.2',
      ])
      expect([...model.namedParameters()].map(([path]) => path)).toEqual(paths)
      backend.resetPeak()
      expect(await scope(() => step(model, backend).read())).toEqual(plainLoss)
      expect(backend.memory().peak).toBeLessThan(plainPeak)
      expect(await gradients(model)).toEqual(plain)
      expect(plain.size).toBe(3 * 2 * sizes.layers)
    }
  })

  it('computes no gradient below the first trainable layer', () => {
    const backend = referenceBackend()
    const model = withLora(backend, 'f32', /layers\.2\.mlp\.down_proj$/)
    let products = 0
    const real = backend.gemm.bind(backend)
    scope(() =>
      withRandom({ seed: 1, step: 1, micro: 1 }, () => {
        const hidden = model.call(packed(backend, sequences))
        backend.gemm = (...args) => {
          products++
          real(...args)
        }
        const labels = ints(backend, new Array<number>(13).fill(1))
        backward(ops.linearCrossEntropy(hidden, model.lmHead, labels, { gradScale: 1 }))
      }),
    )
    // Head forward, head dX, B's dX and dW, A's dW.
    expect(products).toBe(5)
  })

  it('sums over backward calls, in f32, until zeroGrad', async () => {
    const backend = referenceBackend()
    const layer = new Linear(3, 2, { bias: true })
    fill(layer, backend, 'bf16')
    layer.weight.setTrainable(true)
    layer.bias!.setTrainable(true)
    const once = async (times: number) => {
      for (let i = 0; i < times; i++) {
        scope(() => {
          const x = tensor(backend, [1, 2, 3], [1, 3], 'bf16')
          backward(
            ops.cast(ops.matmul(layer.call(x), tensor(backend, [1, 1], [2, 1], 'bf16')), 'f32').reshape(1),
          )
        })
      }
      expect(layer.weight.grad!.dtype).toBe('f32')
      return [...(await layer.weight.grad!.read()), ...(await layer.bias!.grad!.read())]
    }
    expect(await once(1)).toEqual([1, 2, 3, 1, 2, 3, 1, 1])
    expect(await once(2)).toEqual([3, 6, 9, 3, 6, 9, 3, 3])
    layer.weight.zeroGrad()
    expect(layer.weight.grad).toBeNull()
  })

  it('a tied head and its embedding share one gradient', async () => {
    const backend = referenceBackend()
    const build = (tied: boolean) => {
      const model = new Decoder(sizes)
      const head: LinearLike = tied ? new TiedLinear(model.embed_tokens) : new Linear(16, 23)
      model.lm_head = head
      fill(model, backend)
      model.embed_tokens.weight.setTrainable(true)
      if (head instanceof Linear) {
        head.weight.assign(ops.scale(model.embed_tokens.weight.value, 1))
        head.weight.setTrainable(true)
      }
      within(() => step(model, backend))
      return gradients(model)
    }
    const apart = await build(false)
    const tied = await build(true)
    expect([...tied.keys()]).toEqual(['embed_tokens.weight'])
    const head = apart.get('lm_head.weight')!
    const table = apart.get('embed_tokens.weight')!
    for (const [i, g] of tied.get('embed_tokens.weight')!.entries())
      expect(g).toBeCloseTo(head[i]! + table[i]!, 6)
  })

  it('linearCrossEntropy through a LoRA head does not depend on the chunks', async () => {
    const backend = referenceBackend()
    const model = withLora(backend, 'f32', /lm_head$/)
    const results: Map<string, number[]>[] = []
    for (const chunkRows of [1, 5, undefined]) {
      scope(() =>
        withRandom({ seed: 1, step: 1, micro: 1 }, () => {
          ;(model.lm_head as unknown as Lora & { dropout: number }).dropout = 0
          const labels = ints(backend, [5, 9, -100, 2, 1, 3, -100, 11, 20, 0, 4, 6, 1])
          backward(
            ops.linearCrossEntropy(model.call(packed(backend, sequences)), model.lmHead, labels, {
              gradScale: 0.1,
              chunkRows,
            }),
          )
        }),
      )
      results.push(await gradients(model))
    }
    expect([...results[0]!.keys()]).toEqual(['lm_head.lora_A.weight', 'lm_head.lora_B.weight'])
    for (const other of results.slice(1)) {
      for (const [path, values] of results[0]!) {
        for (const [i, v] of values.entries()) expect(other.get(path)![i]!).toBeCloseTo(v, 5)
      }
    }
  })

  it('logProbs are minus the losses', async () => {
    const backend = referenceBackend()
    const model = new Decoder(sizes)
    fill(model, backend)
    const [logProbs, loss] = await scope(() =>
      noGrad(() => {
        const hidden = model.call(packed(backend, sequences))
        const labels = ints(backend, [5, 9, -100, 2, 1, 3, -100, 11, 20, 0, 4, 6, 1])
        return Promise.all([
          ops.logProbs(hidden, model.lmHead, labels, { chunkRows: 3 }).read(),
          ops.linearCrossEntropy(hidden, model.lmHead, labels, { gradScale: 1 }).read(),
        ])
      }),
    )
    expect(logProbs[2]).toBeCloseTo(0)
    expect(-logProbs.reduce((a, b) => a + b, 0)).toBeCloseTo(loss[0]!, 4)
  })
})

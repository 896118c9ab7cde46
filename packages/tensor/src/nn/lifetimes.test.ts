import { describe, expect, it } from 'vitest'
import { IftError, noGrad, ops, recomputeModules, scope, tensor, withRandom, type Tensor } from '../index.js'
import { referenceBackend } from '../reference/index.js'
import { assertNoLeaks } from '../testing/index.js'
import { packed, sequences, sizes, step, withLora, within } from './decoder.fixture.js'

describe('lifetimes', () => {
  it('leaves nothing behind after inference, training, recomputation and errors', async () => {
    for (const dtype of ['f32', 'bf16'] as const) {
      const backend = referenceBackend()
      const model = withLora(backend, dtype)
      const check = assertNoLeaks(backend)
      const rest = () => {
        for (const [, p] of model.namedParameters()) p.zeroGrad()
        check()
      }
      within(() =>
        noGrad(() =>
          withRandom({ seed: 1, step: 1, micro: 1 }, () => model.call(packed(backend, sequences))),
        ),
      )
      rest()
      // A forward whose loss is never differentiated.
      within(() => withRandom({ seed: 1, step: 1, micro: 1 }, () => model.call(packed(backend, sequences))))
      rest()
      within(() => step(model, backend))
      rest()
      recomputeModules(model, (path) => /^layers\.\d+$/.test(path))
      within(() => step(model, backend))
      rest()
      // Dropout without a key throws inside a recomputed layer.
      expect(() => within(() => model.call(packed(backend, sequences)))).toThrow(/no random key/)
      rest()
      await backend.synchronize()
      model.release()
      expect(backend.memory().buffers).toBe(0)
    }
  })

  it('leaves nothing behind when a kernel fails in the backward pass', () => {
    for (const recomputed of [false, true]) {
      const backend = referenceBackend()
      const model = withLora(backend)
      if (recomputed) recomputeModules(model, (path) => /^layers\.\d+$/.test(path))
      const check = assertNoLeaks(backend)
      const real = backend.rope.bind(backend)
      backend.rope = (y, x, positions, invFreq, p) => {
        if (p.inverse) throw new IftError('IFT_TEST', 'rope failed')
        real(y, x, positions, invFreq, p)
      }
      expect(() => within(() => step(model, backend))).toThrow('rope failed')
      for (const [, p] of model.namedParameters()) p.zeroGrad()
      check()
    }
  })

  it('frees a layer’s temporaries at its end and a node’s tensors as backward passes it', () => {
    const backend = referenceBackend()
    const model = withLora(backend)
    const idle = backend.memory().allocated
    const seen: number[] = []
    const real = backend.rmsNormBackward.bind(backend)
    backend.rmsNormBackward = (...args) => {
      real(...args)
      seen.push(backend.memory().allocated)
    }
    within(() => step(model, backend))
    expect(seen.length).toBe(1 + 2 * sizes.layers - 1)
    for (let i = 1; i < seen.length; i++) expect(seen[i]!).toBeLessThan(seen[i - 1]!)
    for (const [, p] of model.namedParameters()) p.zeroGrad()
    expect(backend.memory().allocated).toBe(idle)
  })

  it('refuses a tensor whose scope has ended, and one given away', () => {
    const backend = referenceBackend()
    let escaped: Tensor | undefined
    scope(() => {
      escaped = tensor(backend, [1, 2], [1, 2])
    })
    expect(() => escaped!.buf).toThrow(/was released/)
    scope(() => {
      const w = tensor(backend, [1, 0, 0, 1], [2, 2])
      const residual = tensor(backend, [1, 2], [1, 2])
      ops.linear(residual.alias(), w, { addTo: residual })
      expect(() => residual.buf).toThrow(/given away as addTo/)
    })
    const own = tensor(backend, [1, 2], [1, 2])
    scope(() => ops.linear(own, tensor(backend, [1, 0, 0, 1], [2, 2]), { addTo: own }))
    expect(own.size).toBe(2)
    expect(() => own.buf).not.toThrow()
  })

  it('writes into addTo when nobody else holds it', () => {
    const backend = referenceBackend()
    scope(() => {
      const x = tensor(backend, [1, 2], [1, 2])
      const w = tensor(backend, [1, 0, 0, 1], [2, 2])
      const given = tensor(backend, [5, 6], [1, 2])
      const buf = given.buf
      expect(ops.linear(x, w, { addTo: given }).buf).toBe(buf)
      const shared = tensor(backend, [5, 6], [1, 2])
      const other = shared.alias()
      expect(ops.linear(x, w, { addTo: shared }).buf).not.toBe(other.buf)
    })
  })
})

import { it } from 'vitest'

import { at, close, dtypes, input, onEachInstructionSet } from './kernels.fixture.js'

onEachInstructionSet(({ backend, put, empty, get }) => {
  for (const dtype of dtypes) {
    it(`activations in ${dtype}`, async () => {
      const n = 1003
      const x = input(n, 1, dtype, 8)
      const dy = input(n, 2, dtype)
      const sigmoid = (v: number) => 1 / (1 + Math.exp(-v))
      // By the series and the continued fraction, independent of the kernel's fit.
      const cdf = (v: number): number => {
        const t = Math.abs(v)
        if (t < 4) {
          let term = t
          let sum = t
          for (let k = 1; k < 200; k++) sum += term *= (t * t) / (2 * k + 1)
          const lower = 0.5 + (sum * Math.exp((-t * t) / 2)) / Math.sqrt(2 * Math.PI)
          return v < 0 ? 1 - lower : lower
        }
        let fraction = t
        for (let k = 100; k > 0; k--) fraction = t + k / fraction
        const tail = Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI) / fraction
        return v < 0 ? tail : 1 - tail
      }
      const inner = (v: number) => Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)
      const functions = {
        geluTanh: (v: number) => 0.5 * v * (1 + Math.tanh(inner(v))),
        geluErf: (v: number) => v * cdf(v),
        silu: (v: number) => v * sigmoid(v),
        relu: (v: number) => Math.max(v, 0),
        tanh: Math.tanh,
        sigmoid,
      } as const
      for (const [kind, f] of Object.entries(functions) as [
        keyof typeof functions,
        (v: number) => number,
      ][]) {
        const [bx, bdy, y] = [put(x, dtype), put(dy, dtype), empty(n, dtype)]
        backend.unary(kind, y, bx, n, dtype)
        close(await get(y, n, dtype), x.map(f), dtype)
        backend.unaryBackward(kind, bx, bdy, bx, n, dtype)
        const slope = (v: number) => (f(v + 1e-5) - f(v - 1e-5)) / 2e-5
        const safe = (v: number, i: number) => at(dy, i) * (kind === 'relu' && v === 0 ? 0 : slope(v))
        close(await get(bx, n, dtype), x.map(safe), dtype, 1)
      }
    })

    it(`swiglu in ${dtype}`, async () => {
      const n = 777
      const [gate, up, dy] = [input(n, 3, dtype, 6), input(n, 4, dtype), input(n, 5, dtype)]
      const s = gate.map((g) => 1 / (1 + Math.exp(-g)))
      const [bg, bu, bd, y] = [put(gate, dtype), put(up, dtype), put(dy, dtype), empty(n, dtype)]
      backend.swiglu(y, bg, bu, n, dtype)
      close(
        await get(y, n, dtype),
        gate.map((g, i) => g * at(s, i) * at(up, i)),
        dtype,
      )
      backend.swigluBackward(bg, bu, bd, bg, bu, n, dtype)
      const dgate = gate.map((g, i) => at(dy, i) * at(up, i) * at(s, i) * (1 + g * (1 - at(s, i))))
      close(await get(bg, n, dtype), dgate, dtype)
      close(
        await get(bu, n, dtype),
        gate.map((g, i) => at(dy, i) * g * at(s, i)),
        dtype,
      )
    })
  }
})

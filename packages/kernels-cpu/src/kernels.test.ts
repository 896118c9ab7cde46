import type { Backend, Buf, FloatDType } from '@ift/tensor'
import { afterAll, describe, expect, it } from 'vitest'

import { instructionSets, openCpu } from './index.js'

/** Numbers from a fixed sequence in [-scale, scale], exact in f32. */
const sequence = (n: number, seed: number, scale = 1): Float32Array => {
  let state = seed * 2654435761 + 12345
  return Float32Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return (state / 2 ** 31) * scale
  })
}

const one = new Float32Array(1)
const oneBits = new Uint32Array(one.buffer)

/** Bits of `value` as bf16 or f16, to nearest, ties to even. */
const halfBits = (value: number, dtype: 'bf16' | 'f16'): number => {
  if (dtype === 'bf16') {
    one[0] = value
    const bits = oneBits[0] ?? 0
    return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff
  }
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const a = Math.abs(value)
  if (a === 0) return sign
  const exponent = Math.max(Math.floor(Math.log2(a)), -14)
  const steps = a / 2 ** (exponent - 10)
  const floor = Math.floor(steps)
  const rest = steps - floor
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
  return sign | (exponent === -14 && rounded < 1024 ? rounded : ((exponent + 14) << 10) + rounded)
}

const fromHalf = (bits: number, dtype: 'bf16' | 'f16'): number => {
  if (dtype === 'bf16') {
    oneBits[0] = bits << 16
    return one[0] ?? 0
  }
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  const a = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25)
  return bits & 0x8000 ? -a : a
}

const round = (values: ArrayLike<number>, dtype: FloatDType): number[] =>
  dtype === 'f32'
    ? Array.from(values)
    : Array.from(values, (value) => fromHalf(halfBits(value, dtype), dtype))

const itemBytes = (dtype: FloatDType) => (dtype === 'f32' ? 4 : 2)
const tolerance = { f32: 3e-6, bf16: 5e-3, f16: 7e-4 } as const

for (const isa of instructionSets()) {
  describe(`kernels on ${isa}`, () => {
    const backend: Backend = openCpu({ isa, threads: 2 })
    afterAll(() => {
      backend.close()
    })

    const put = (values: ArrayLike<number>, dtype: FloatDType | 'i32'): Buf => {
      const data =
        dtype === 'f32'
          ? Float32Array.from(values)
          : dtype === 'i32'
            ? Int32Array.from(values)
            : Uint16Array.from(values, (value) => halfBits(value, dtype))
      const buf = backend.alloc(data.byteLength)
      backend.write(buf, data)
      return buf
    }
    const empty = (n: number, dtype: FloatDType): Buf => backend.alloc(n * itemBytes(dtype))
    const get = async (buf: Buf, n: number, dtype: FloatDType): Promise<number[]> => {
      if (dtype === 'f32') {
        const data = new Float32Array(n)
        await backend.read(buf, data)
        return [...data]
      }
      const data = new Uint16Array(n)
      await backend.read(buf, data)
      return Array.from(data, (bits) => fromHalf(bits, dtype))
    }
    /** Every element within the rounding of the dtype, relative to itself and to `scale`. */
    const close = (found: number[], expected: number[], dtype: FloatDType, scale = 0.1): void => {
      expect(found.length).toBe(expected.length)
      for (const [i, want] of expected.entries()) {
        const got = found[i] ?? NaN
        if (!(Math.abs(got - want) <= tolerance[dtype] * (Math.abs(want) + scale))) {
          expect.fail(`element ${i} is ${got}, expected ${want}`)
        }
      }
    }
    /** Inputs of awkward size, rounded to the dtype. */
    const input = (n: number, seed: number, dtype: FloatDType, scale = 1) =>
      round(sequence(n, seed, scale), dtype)
    const at = (values: number[], i: number): number => values[i] ?? NaN

    for (const dtype of ['f32', 'bf16', 'f16'] as const) {
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

      for (const [rows, cols] of [
        [1, 1],
        [5, 67],
        [130, 300],
      ] as const) {
        it(`norms of [${rows}, ${cols}] in ${dtype}`, async () => {
          const n = rows * cols
          const [x, w, b, dy, old] = [
            input(n, 6, dtype, 3),
            input(cols, 7, dtype),
            input(cols, 8, dtype),
            input(n, 9, dtype),
            input(n, 10, dtype),
          ]
          const row = (values: number[], r: number) => values.slice(r * cols, (r + 1) * cols)
          const mean = (values: number[]) => values.reduce((a, c) => a + c, 0) / values.length
          for (const layer of [false, true]) {
            const eps = 1e-5
            const means = Array.from({ length: rows }, (_, r) => (layer ? mean(row(x, r)) : 0))
            const rstds = means.map((m, r) => 1 / Math.sqrt(mean(row(x, r).map((v) => (v - m) ** 2)) + eps))
            const hat = x.map(
              (v, i) => (v - at(means, Math.floor(i / cols))) * at(rstds, Math.floor(i / cols)),
            )
            const [bx, bw, bb, bdy, y] = [
              put(x, dtype),
              put(w, dtype),
              put(b, dtype),
              put(dy, dtype),
              empty(n, dtype),
            ]
            const [bm, br] = [empty(rows, 'f32'), empty(rows, 'f32')]
            if (layer) backend.layerNorm(y, bm, br, bx, bw, bb, rows, cols, eps, dtype)
            else backend.rmsNorm(y, br, bx, bw, rows, cols, eps, dtype)
            const expected = hat.map((v, i) => v * at(w, i % cols) + (layer ? at(b, i % cols) : 0))
            // A row of one element less its mean is the rounding of the mean.
            close(await get(y, n, dtype), expected, dtype, 1)
            close(await get(br, rows, 'f32'), rstds, 'f32')

            const g = dy.map((v, i) => v * at(w, i % cols))
            const perRow = (values: number[]) => Array.from({ length: rows }, (_, r) => mean(row(values, r)))
            const slopes = perRow(g.map((v, i) => v * at(hat, i)))
            const shifts = perRow(g)
            const dx = g.map((v, i) => {
              const r = Math.floor(i / cols)
              return (
                at(rstds, r) * (v - at(hat, i) * at(slopes, r) - (layer ? at(shifts, r) : 0)) + at(old, i)
              )
            })
            const bdx = put(old, dtype)
            const [dw, db] = [put(sequence(cols, 11), 'f32'), put(sequence(cols, 12), 'f32')]
            const sums = (term: (i: number) => number, start: Float32Array) =>
              Array.from(start, (s, c) => {
                for (let r = 0; r < rows; r++) s += term(r * cols + c)
                return s
              })
            if (layer) backend.layerNormBackward(bdx, dw, db, bdy, bx, bw, bm, br, rows, cols, dtype, 1)
            else backend.rmsNormBackward(bdx, dw, bdy, bx, bw, br, rows, cols, dtype, 1)
            const scale = layer && cols === 1 ? 100 : 1
            close(await get(bdx, n, dtype), dx, dtype, scale)
            close(
              await get(dw, cols, 'f32'),
              sums((i) => at(dy, i) * at(hat, i), sequence(cols, 11)),
              'f32',
              scale,
            )
            if (layer)
              close(
                await get(db, cols, 'f32'),
                sums((i) => at(dy, i), sequence(cols, 12)),
                'f32',
                1,
              )
          }
        })
      }

      it(`columns, rows and copies in ${dtype}`, async () => {
        const [rows, cols] = [150, 131]
        const n = rows * cols
        const [x, z] = [input(n, 13, dtype), input(n, 14, dtype)]
        const s = sequence(cols, 15)
        const [bx, bz, bs, y] = [put(x, dtype), put(z, dtype), put(s, 'f32'), empty(n, dtype)]
        backend.scaleColumns(y, bx, bs, rows, cols, dtype)
        close(
          await get(y, n, dtype),
          x.map((v, i) => v * (s[i % cols] ?? NaN)),
          dtype,
        )
        const column = (term: (i: number) => number) =>
          Array.from(s, (_, c) =>
            Array.from({ length: rows }, (_, r) => term(r * cols + c)).reduce((a, v) => a + v, 0),
          )
        const sums = put(s, 'f32')
        backend.sumRows(sums, bx, rows, cols, dtype, 0)
        close(
          await get(sums, cols, 'f32'),
          column((i) => at(x, i)),
          'f32',
          5,
        )
        backend.write(sums, s)
        backend.scaleColumnsBackward(sums, bz, bx, rows, cols, dtype)
        const products = column((i) => at(x, i) * at(z, i)).map((v, c) => v + (s[c] ?? NaN))
        close(await get(sums, cols, 'f32'), products, 'f32', 5)
        const norms = empty(rows, 'f32')
        backend.rowNorms(norms, bx, rows, cols, dtype)
        const expected = Array.from({ length: rows }, (_, r) =>
          Math.hypot(...x.slice(r * cols, (r + 1) * cols)),
        )
        close(await get(norms, rows, 'f32'), expected, 'f32')
        backend.squaredNorm(norms, bx, n, dtype, 0)
        backend.squaredNorm(norms, bx, n, dtype, 1)
        const total = 2 * x.reduce((a, v) => a + v * v, 0)
        close(await get(norms, 1, 'f32'), [total], 'f32')
        backend.clipFactor(norms, norms, 3)
        close(await get(norms, 1, 'f32'), [3 / Math.sqrt(total)], 'f32')

        const ids = [7, 0, 149, 7]
        const bi = put(ids, 'i32')
        const picked = empty(4 * cols, dtype)
        backend.gatherRows(picked, bx, bi, 4, cols, rows, dtype)
        const gathered = ids.flatMap((id) => x.slice(id * cols, (id + 1) * cols))
        expect(await get(picked, 4 * cols, dtype)).toEqual(gathered)
        const table = put(new Float32Array(n), 'f32')
        backend.scatterRows(table, picked, bi, 4, cols, rows, dtype, 'f32', 1)
        const scattered = new Array<number>(n).fill(0)
        for (const [r, id] of ids.entries()) {
          for (let c = 0; c < cols; c++)
            scattered[id * cols + c] = at(scattered, id * cols + c) + at(gathered, r * cols + c)
        }
        close(await get(table, n, 'f32'), scattered, 'f32')

        const before = await get(y, n, dtype)
        backend.copy2d(y, 3, 50, bx, 1, cols, 20, 40, dtype, 0)
        backend.copy2d(y, 3, 50, bz, 2, cols, 20, 40, dtype, 1)
        const copied = Array.from({ length: 800 }, (_, i) => {
          const [r, c] = [Math.floor(i / 40), i % 40]
          return at(x, 1 + r * cols + c) + at(z, 2 + r * cols + c)
        })
        const all = await get(y, n, dtype)
        close(
          Array.from({ length: 800 }, (_, i) => at(all, 3 + Math.floor(i / 40) * 50 + (i % 40))),
          copied,
          dtype,
        )
        // What lies between the rows is as it was.
        const between = (i: number) => i < 3 || (i < 1003 && (i - 3) % 50 >= 40)
        expect(all.filter((_, i) => between(i))).toEqual(before.filter((_, i) => between(i)))
      })

      it(`element-wise arithmetic in ${dtype}`, async () => {
        const n = 9001
        const [x, z] = [input(n, 16, dtype), input(n, 17, dtype)]
        const [bx, bz, y] = [put(x, dtype), put(z, dtype), empty(n, dtype)]
        backend.mul(y, bx, bz, n, dtype)
        expect(await get(y, n, dtype)).toEqual(
          round(
            x.map((v, i) => Math.fround(v * at(z, i))),
            dtype,
          ),
        )
        for (const to of ['f32', 'bf16', 'f16'] as const) {
          const cast = empty(n, to)
          backend.cast(cast, bx, n, to, dtype)
          expect(await get(cast, n, to)).toEqual(round(x, to))
        }
        backend.axpby(bx, 2, bx, -0.5, bz, n, dtype)
        close(
          await get(bx, n, dtype),
          x.map((v, i) => 2 * v - 0.5 * at(z, i)),
          dtype,
        )
        backend.fill(y, 1 / 3, n, dtype)
        expect(new Set(await get(y, n, dtype))).toEqual(new Set(round([Math.fround(1 / 3)], dtype)))
      })

      it(`rope in ${dtype}`, async () => {
        const [rows, heads, headDim, dims, dimOffset] = [9, 3, 40, 24, 8]
        const n = rows * heads * headDim
        const x = input(n, 18, dtype)
        const positions = Array.from({ length: rows }, (_, r) => (r === 8 ? 131071 : r * 37))
        const invFreq = Float32Array.from({ length: dims / 2 }, (_, i) => 10000 ** ((-2 * i) / dims))
        const [bp, bf] = [put(positions, 'i32'), put(invFreq, 'f32')]
        for (const interleaved of [false, true]) {
          const p = { rows, heads, headDim, dimOffset, dims, interleaved, inverse: false, scale: 1.25, dtype }
          const expected = [...x]
          for (let r = 0; r < rows; r++) {
            for (let h = 0; h < heads; h++) {
              for (let i = 0; i < dims / 2; i++) {
                const base = (r * heads + h) * headDim + dimOffset
                const [a, b] = interleaved
                  ? [base + 2 * i, base + 2 * i + 1]
                  : [base + i, base + i + dims / 2]
                const angle = at(positions, r) * (invFreq[i] ?? NaN)
                const [c, s] = [1.25 * Math.cos(angle), 1.25 * Math.sin(angle)]
                expected[a] = at(x, a) * c - at(x, b) * s
                expected[b] = at(x, b) * c + at(x, a) * s
              }
            }
          }
          const buf = put(x, dtype)
          backend.rope(buf, buf, bp, bf, p)
          close(await get(buf, n, dtype), expected, dtype)
          backend.rope(buf, buf, bp, bf, { ...p, inverse: true, scale: 1 / 1.25 })
          close(await get(buf, n, dtype), x, dtype, 1)
        }
      })

      it(`cross-entropy in ${dtype}`, async () => {
        const [rows, vocab] = [7, 1531]
        const logits = input(rows * vocab, 19, dtype, 20)
        const labels = [3, -1, 0, 1530, -100, 77, 77]
        const [bl, bi, loss] = [put(logits, dtype), put(labels, 'i32'), empty(rows, 'f32')]
        const grads: number[] = []
        const losses = labels.map((label, r) => {
          const row = logits.slice(r * vocab, (r + 1) * vocab)
          const max = Math.max(...row)
          const sum = row.reduce((a, v) => a + Math.exp(v - max), 0)
          grads.push(
            ...row.map((v, c) => (label < 0 ? 0 : 0.5 * (Math.exp(v - max) / sum - (c === label ? 1 : 0)))),
          )
          return label < 0 ? 0 : Math.log(sum) + max - at(row, label)
        })
        const p = { rows, vocab, gradScale: 0.5, dtype, gradDtype: dtype }
        backend.crossEntropy(loss, null, bl, bi, p)
        close(await get(loss, rows, 'f32'), losses, 'f32')
        expect(await get(bl, rows * vocab, dtype)).toEqual(logits)
        backend.crossEntropy(loss, bl, bl, bi, p)
        close(await get(loss, rows, 'f32'), losses, 'f32')
        close(await get(bl, rows * vocab, dtype), grads, dtype)
      })

      it(`AdamW in ${dtype}`, async () => {
        const n = 1000
        const w = Array.from(sequence(n, 20))
        const [master, m, v] = [
          put(w, 'f32'),
          put(new Float32Array(n), 'f32'),
          put(new Float32Array(n), 'f32'),
        ]
        const param = dtype === 'f32' ? master : empty(n, dtype)
        const scale = put([0.5], 'f32')
        const [ms, vs] = [new Array<number>(n).fill(0), new Array<number>(n).fill(0)]
        const [lr, beta1, beta2, eps, weightDecay] = [1e-2, 0.9, 0.999, 1e-8, 0.1]
        for (let step = 1; step <= 3; step++) {
          const g = sequence(n, 20 + step)
          const p = { n, lr, beta1, beta2, eps, weightDecay, step, dtype }
          backend.adamw(param, dtype === 'f32' ? null : master, put(g, 'f32'), m, v, scale, p)
          for (let i = 0; i < n; i++) {
            const gi = 0.5 * (g[i] ?? NaN)
            ms[i] = beta1 * at(ms, i) + (1 - beta1) * gi
            vs[i] = beta2 * at(vs, i) + (1 - beta2) * gi * gi
            const update =
              at(ms, i) / (1 - beta1 ** step) / (Math.sqrt(at(vs, i) / (1 - beta2 ** step)) + eps)
            w[i] = at(w, i) * (1 - lr * weightDecay) - lr * update
          }
        }
        close(await get(master, n, 'f32'), w, 'f32')
        close(await get(param, n, dtype), w, dtype)
      })
    }

    it('dropout and random numbers are Philox of the element index', async () => {
      const n = 1003
      const [seed, stream] = [2 ** 40 + 12345, 9]
      const words = Array.from({ length: n }, (_, i) => philox(Math.floor(i / 4), seed, stream)[i % 4] ?? NaN)
      const y = empty(n, 'f32')
      backend.random(y, n, 'uniform', seed, stream, 'f32')
      expect(await get(y, n, 'f32')).toEqual(words.map((word) => Math.fround(word / 2 ** 32)))
      backend.random(y, n, 'normal', seed, stream, 'f32')
      const normal = words.map((_, i) => {
        const [w0, w1] = [at(words, i - (i % 2)), philox(Math.floor(i / 4), seed, stream)[(i % 4) | 1] ?? NaN]
        const r = Math.sqrt(-2 * Math.log((w0 + 1) / 2 ** 32))
        const angle = (2 * Math.PI * w1) / 2 ** 32
        return r * (i % 2 === 0 ? Math.cos(angle) : Math.sin(angle))
      })
      close(await get(y, n, 'f32'), normal, 'f32')
      const x = sequence(n, 30)
      const buf = put(x, 'f32')
      backend.dropout(buf, buf, n, 0.3, seed, stream, 'f32')
      const kept = Array.from(x, (v, i) => (at(words, i) >= Math.floor(0.3 * 2 ** 32) ? v / 0.7 : 0))
      close(await get(buf, n, 'f32'), kept, 'f32')
    })

    it('gives the same bits on any number of threads', async () => {
      const [rows, cols] = [700, 200]
      const n = rows * cols
      const results: string[] = []
      for (const threads of [1, 2, 5]) {
        const other = openCpu({ isa, threads })
        const [x, s, y] = [other.alloc(4 * n), other.alloc(4 * cols), other.alloc(4)]
        other.random(x, n, 'normal', 1, 2, 'f32')
        other.sumRows(s, x, rows, cols, 'f32', 0)
        other.squaredNorm(y, x, n, 'f32', 0)
        other.dropout(x, x, n, 0.5, 3, 4, 'f32')
        other.rmsNorm(x, other.alloc(4 * rows), x, s, rows, cols, 1e-6, 'f32')
        const [all, sums, norm] = [new Float32Array(n), new Float32Array(cols), new Float32Array(1)]
        await other.read(x, all)
        await other.read(s, sums)
        await other.read(y, norm)
        results.push(
          Buffer.concat([all, sums, norm].map((values) => Buffer.from(values.buffer))).toString('base64'),
        )
        other.close()
      }
      expect(results[1] === results[0]).toBe(true)
      expect(results[2] === results[0]).toBe(true)
    })

    it('multiplies and attends through the checked calls', async () => {
      const [m, k, n] = [5, 33, 17]
      const [a, b, bias] = [sequence(m * k, 40), sequence(n * k, 41), sequence(n, 42)]
      const y = empty(m * n, 'f32')
      const [ba, bb, bc] = [put(a, 'f32'), put(b, 'f32'), put(bias, 'f32')]
      const p = {
        m,
        n,
        k,
        transA: false,
        transB: true,
        alpha: 2,
        beta: 0,
        dtype: 'f32',
        outDtype: 'f32',
      } as const
      backend.gemm(y, ba, bb, bc, p)
      const expected = Array.from({ length: m * n }, (_, i) => {
        const [r, c] = [Math.floor(i / n), i % n]
        let sum = 0
        for (let j = 0; j < k; j++) sum += (a[r * k + j] ?? NaN) * (b[c * k + j] ?? NaN)
        return 2 * sum + (bias[c] ?? NaN)
      })
      close(await get(y, m * n, 'f32'), expected, 'f32', 5)
      expect(() => {
        backend.gemm(y, ba, bb, bc, { ...p, m: 6 })
      }).toThrow(/gemm: y \[6, 17\] in f32 does not fit/)

      const [q, v] = [sequence(4 * 2 * 8, 43), sequence(4 * 8, 44)]
      const [bq, bv, out, lse] = [put(q, 'f32'), put(v, 'f32'), empty(64, 'f32'), empty(8, 'f32')]
      const cu = put([0, 1, 4], 'i32')
      const shape = { segments: 2, cuQ: cu, cuK: cu, maxQ: 3, maxK: 3, rowsQ: 4, rowsK: 4 }
      const heads = { heads: 2, kvHeads: 1, headDim: 8, scale: 0.5, causal: true, dtype: 'f32' } as const
      backend.attention(out, lse, bq, bv, bv, { ...shape, ...heads })
      const attended = Array.from({ length: 64 }, (_, i) => {
        const [r, h, d] = [Math.floor(i / 16), Math.floor(i / 8) % 2, i % 8]
        let [sum, total] = [0, 0]
        for (let j = r === 0 ? 0 : 1; j <= r; j++) {
          let score = 0
          for (let e = 0; e < 8; e++) score += (q[r * 16 + h * 8 + e] ?? NaN) * (v[j * 8 + e] ?? NaN)
          const weight = Math.exp(0.5 * score)
          sum += weight * (v[j * 8 + d] ?? NaN)
          total += weight
        }
        return sum / total
      })
      close(await get(out, 64, 'f32'), attended, 'f32', 1)
      backend.attention(out, lse, bq, bv, bv, { ...shape, ...heads, cuQ: put([0, 5, 4], 'i32') })
      await expect(backend.synchronize()).rejects.toThrow(/attention: cuQ is \[0, 5, 4\]/)
    })
  })
}

/** One block of Philox4x32-10 in BigInt arithmetic. */
function philox(index: number, seed: number, stream: number): number[] {
  const mask = 0xffff_ffffn
  let c = [BigInt(index), 0n, BigInt(stream), 0n] as [bigint, bigint, bigint, bigint]
  let [k0, k1] = [BigInt(seed) & mask, BigInt(seed) >> 32n]
  for (let i = 0; i < 10; i++) {
    const [p0, p1] = [0xd251_1f53n * c[0], 0xcd9e_8d57n * c[2]]
    c = [(p1 >> 32n) ^ c[1] ^ k0, p1 & mask, (p0 >> 32n) ^ c[3] ^ k1, p0 & mask]
    k0 = (k0 + 0x9e37_79b9n) & mask
    k1 = (k1 + 0xbb67_ae85n) & mask
  }
  return c.map(Number)
}

import type { Backend, Buf } from '../../backend.js'
import { itemSize, type FloatDType } from '../../dtype.js'
import { IftError } from '../../errors.js'
import { compareReplays, encode, numbers } from '../compare.js'
import type { KernelCase } from '../conformance.js'

const failure = (message: string) => new IftError('IFT_CONFORMANCE', message)

async function values(backend: Backend, buf: Buf, n: number): Promise<string> {
  const out = new Float32Array(n)
  await backend.read(buf, out)
  return out.join(' ')
}

async function expectValues(what: string, backend: Backend, buf: Buf, expected: string): Promise<void> {
  const found = await values(backend, buf, expected.split(' ').length)
  if (found !== expected) throw failure(`${what}: expected ${expected}, found ${found}`)
}

async function refused(what: string, run: () => unknown): Promise<void> {
  try {
    await run()
  } catch (error) {
    if (error instanceof IftError && error.code === 'IFT_RECORDING') return
    throw failure(`${what}: expected IFT_RECORDING, found ${String(error)}`)
  }
  throw failure(`${what} was not refused`)
}

/** Work that is written down and done later, of backends that can. */
export const recordingCases = (): KernelCase[] => [
  {
    name: 'recording: done at every replay and not before, on what the buffers hold then',
    run: async (backend) => {
      if (backend.record === undefined) return
      const start = backend.memory()
      const [x, y] = [backend.alloc(8), backend.alloc(8)]
      backend.write(x, Float32Array.of(1, 2))
      backend.fill(y, 7, 2, 'f32')
      const recording = backend.record(() => {
        // Memory that comes and goes, and a number from the host: y = 2 (x + 10).
        const [ten, sum] = [backend.alloc(8), backend.alloc(8)]
        backend.write(ten, Float32Array.of(10, 10))
        backend.axpby(sum, 1, x, 1, ten, 2, 'f32')
        backend.free(ten)
        const again = backend.alloc(8)
        backend.axpby(again, 1, sum, 1, sum, 2, 'f32')
        backend.axpby(y, 1, again, 0, again, 2, 'f32')
        backend.free(sum)
        backend.free(again)
      })
      await expectValues('before a replay', backend, y, '7 7')
      recording.replay()
      await expectValues('a replay', backend, y, '22 24')
      backend.write(x, Float32Array.of(5, 6))
      // Others get no memory that the recording works in.
      const others = Array.from({ length: 4 }, () => backend.alloc(8))
      for (const other of others) backend.fill(other, 3, 2, 'f32')
      recording.replay()
      recording.replay()
      await expectValues('a replay on other numbers', backend, y, '30 32')
      for (const other of others) {
        await expectValues('a buffer of others', backend, other, '3 3')
        backend.free(other)
      }
      recording.release()
      for (const buf of [x, y]) backend.free(buf)
      const { allocated, buffers } = backend.memory()
      if (allocated !== start.allocated || buffers !== start.buffers)
        throw failure(`a recording left ${allocated - start.allocated} bytes behind`)
    },
  },
  {
    name: 'recording: what cannot be written down, and what lies elsewhere now, is refused',
    run: async (backend) => {
      if (backend.record === undefined) return
      const [x, y] = [backend.alloc(8), backend.alloc(8)]
      backend.fill(x, 1, 2, 'f32')
      let reading: Promise<unknown> | undefined
      const first = backend.record(() => {
        reading = refused('reading while recording', () => backend.read(x, new Float32Array(2)))
        backend.axpby(y, 1, x, 0, x, 2, 'f32')
      })
      await reading
      await refused('recording while recording', () =>
        backend.record!(() => {
          backend.record!(() => undefined)
        }),
      )
      first.replay()
      await expectValues('after what was refused', backend, y, '1 1')
      backend.free(x)
      await refused('a replay on a buffer that was freed', () => {
        first.replay()
      })
      first.release()
      await refused('a replay of what was released', () => {
        first.replay()
      })
      backend.free(y)
    },
  },
]

/** Rows, outputs, inputs: a step of decoding, and more rows than a tile. */
const productSizes = [
  [1, 65, 64],
  [4, 64, 96],
  [70, 33, 129],
] as const

/** Products that are written down: of a library on some devices, which has to take part in it. */
export function recordedProductCases(dtype: FloatDType): KernelCase[] {
  return [
    {
      name: `recording: gemm ${dtype}`,
      run: async (backend) => {
        for (const [m, n, k] of productSizes) {
          for (const outDtype of new Set([dtype, 'f32'] as const)) {
            for (const withBias of [false, true]) {
              const beta = withBias ? 1 : 0
              await compareReplays(
                `gemm ${m}×${n}×${k}, beta ${beta}, out ${outDtype}, bias ${withBias}`,
                backend,
                (turn) => ({
                  y: { dtype: outDtype, values: numbers(m * n, turn), out: outDtype },
                  a: { dtype, values: numbers(m * k, turn + 10) },
                  b: { dtype, values: numbers(n * k, turn + 20) },
                  bias: { dtype, values: numbers(n, turn + 30) },
                }),
                (kernels, { y, a, b, bias }) => {
                  const p = { m, n, k, transA: false, transB: true, alpha: 1, beta, dtype, outDtype } as const
                  kernels.gemm(y, a, b, withBias ? bias : null, p)
                },
              )
            }
          }
        }
      },
    },
    {
      name: `recording: lowRank ${dtype}`,
      run: async (backend) => {
        const r = 8
        for (const [n, m, k] of productSizes) {
          for (const outDtype of new Set([dtype, 'f32'] as const)) {
            for (const withBias of [false, true]) {
              await compareReplays(
                `lowRank ${n}×${k} -> ${m}, out ${outDtype}, bias ${withBias}`,
                backend,
                (turn) => ({
                  y: { dtype: outDtype, values: numbers(n * m, turn), out: outDtype },
                  low: { dtype, values: numbers(n * r, turn + 10), out: dtype },
                  x: { dtype, values: numbers(n * k, turn + 20) },
                  w: { dtype, values: numbers(m * k, turn + 30) },
                  a: { dtype, values: numbers(r * k, turn + 40) },
                  b: { dtype, values: numbers(m * r, turn + 50) },
                  bias: { dtype, values: numbers(m, turn + 60) },
                }),
                (kernels, { y, low, x, w, a, b, bias }) => {
                  const p = { n, k, m, r, scale: 0.5, dtype, beta: 0, outDtype } as const
                  kernels.lowRank(y, low, x, x, w, a, b, withBias ? bias : null, p)
                },
              )
            }
          }
        }
      },
    },
    {
      name: `recording: products between buffers that come and go ${dtype}`,
      run: async (backend) => {
        if (backend.record === undefined) return
        const start = backend.memory()
        const [rows, widths, size] = [3, [48, 96, 40, 128, 48], itemSize(dtype)] as const
        const n = rows * widths[0]
        const [x, y] = [backend.alloc(n * size), backend.alloc(n * size)]
        const w = backend.alloc(128 * 128 * size)
        backend.write(w, encode(numbers(128 * 128, 3), dtype))
        /** Layers whose inputs and outputs are scratch, each of a size of its own, as a step of a model has them. */
        const layers = () => {
          let input = x
          for (let i = 0; i + 1 < widths.length; i++) {
            const output = i + 2 < widths.length ? backend.alloc(rows * widths[i + 1]! * size) : y
            const p = { m: rows, n: widths[i + 1]!, k: widths[i]!, transA: false, transB: true } as const
            backend.gemm(output, input, w, null, { ...p, alpha: 0.2, beta: 0, dtype, outDtype: dtype })
            if (input !== x) backend.free(input)
            input = output
          }
        }
        const read = async (buf: Buf, count: number) => {
          const bytes = new Uint8Array(count * size)
          await backend.read(buf, bytes)
          return bytes.join(' ')
        }
        const expected: string[] = []
        for (const seed of [1, 2]) {
          backend.write(x, encode(numbers(n, seed), dtype))
          layers()
          expected.push(await read(y, n))
        }
        if (expected[0] === expected[1]) throw failure('other inputs gave the same output')
        // Memory from before is given up while the work is written down, and a result of it stays.
        const before = backend.alloc(128 * rows * size)
        let copy!: Buf
        const recording = backend.record(() => {
          backend.free(before)
          layers()
          copy = backend.alloc(n * size)
          layers()
          backend.axpby(copy, 1, y, 0, y, n, dtype)
        })
        const others = widths.map((width) => backend.alloc(rows * width * size))
        const filling = encode(new Float64Array(40 * rows).fill(0.75), dtype)
        for (const other of others) backend.write(other, filling)
        for (const turn of [0, 1, 0]) {
          backend.write(x, encode(numbers(n, turn + 1), dtype))
          backend.fill(y, 9, n, dtype)
          recording.replay()
          for (const result of [y, copy])
            if ((await read(result, n)) !== expected[turn])
              throw failure(`a replay on the numbers of turn ${turn} differs from the calls`)
        }
        for (const other of others) {
          if ((await read(other, 40 * rows)) !== filling.join(' '))
            throw failure('a replay wrote into memory of others')
        }
        recording.release()
        for (const buf of [...others, copy, x, y, w]) backend.free(buf)
        const { allocated, buffers } = backend.memory()
        if (allocated !== start.allocated || buffers !== start.buffers)
          throw failure(`a recording left ${allocated - start.allocated} bytes behind`)
      },
    },
  ]
}

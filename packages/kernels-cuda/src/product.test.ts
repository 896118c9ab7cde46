import { expect, test } from 'vitest'
import { emulatedIsBuilt, openEmulated } from './emulated.fixture.js'

const ready = emulatedIsBuilt()
if (!ready) console.log('skipped: products in mixed types need the emulated build')

/** bf16 of small whole numbers. */
const bf16 = (...values: number[]) =>
  Uint16Array.from(values, (value) => new Uint32Array(Float32Array.of(value).buffer)[0]! >>> 16)

// cuBLASLt wants the bias in the type of the output: the conversion is part of what is recorded.
test.skipIf(!ready)('a recorded product with a bias in another type than its output', async () => {
  const backend = openEmulated()
  const buffer = (data: Uint16Array) => {
    const buf = backend.alloc(data.byteLength)
    backend.write(buf, data)
    return buf
  }
  const [a, b, bias] = [buffer(bf16(1, 2, 3, 4)), buffer(bf16(1, 0, 0, 1)), buffer(bf16(10, 20))]
  const y = backend.alloc(16)
  const recording = backend.record(() => {
    const p = { m: 2, n: 2, k: 2, transA: false, transB: false, alpha: 1, beta: 0 } as const
    backend.gemm(y, a, b, bias, { ...p, dtype: 'bf16', outDtype: 'f32' })
  })
  const out = new Float32Array(4)
  recording.replay()
  await backend.read(y, out)
  expect([...out]).toEqual([11, 22, 13, 24])
  backend.write(bias, bf16(-1, 0))
  recording.replay()
  await backend.read(y, out)
  expect([...out]).toEqual([0, 2, 2, 4])
  recording.release()
  backend.close()
})

import { probeCuda } from '@ift/kernels-cuda'
import type { Backend, Buf, FloatDType } from '@ift/tensor'
import { CaseFailure, type Case } from './cases.js'
import { openDevice, type DeviceName } from './device.js'
import type { CudaBackend } from '../../packages/kernels-cuda/src/backend.js'

/** A GPU, or the emulation of one. */
type WithInventory = Pick<CudaBackend, 'inventory'>

const hasInventory = (backend: object): backend is WithInventory =>
  'inventory' in backend && typeof backend.inventory === 'function'

const dtypes: readonly FloatDType[] = ['bf16', 'f16', 'f32']

/** Rows, columns and depth of the products: none a multiple of a tile, all sums exact in every dtype. */
const [m, n, k] = [33, 40, 48] as const

/**
 * The first minute on a device: its libraries and kernels, one launch, copies, one recording, and a product of each kind, whose
 * numbers are small whole ones, so that the result must be exact. One device serves all cases of a process.
 */
export function smokeCases(device: DeviceName): Case[] {
  let opened: Backend | undefined
  const open = () => (opened ??= openDevice(device))
  const cases: Case[] = [
    {
      name: 'open',
      run: () => {
        const { device: facts } = open()
        return Promise.resolve({ device: facts.description, memory: facts.memory })
      },
    },
    { name: 'inventory', run: () => Promise.resolve(inventory(open())) },
    { name: 'launch', run: () => launch(open()) },
    { name: 'copies', run: () => copies(open()) },
  ]
  // Findings matter most where no device opens.
  if (device === 'cuda')
    cases.unshift({ name: 'probe', run: () => Promise.resolve({ findings: probeCuda() }) })
  for (const dtype of dtypes)
    for (const outDtype of new Set([dtype, 'f32'] as const))
      for (const bias of [false, true])
        for (const [transA, transB] of [
          [false, true],
          [false, false],
          [true, false],
          [true, true],
        ] as const) {
          const kind = { dtype, outDtype, transA, transB, bias }
          const layout = `${transA ? 'Aᵀ' : 'A'}·${transB ? 'Bᵀ' : 'B'}`
          cases.push({
            name: `product ${dtype} to ${outDtype}, ${layout}${bias ? ' + bias' : ''}`,
            run: () => product(open(), kind),
          })
        }
  cases.push({ name: 'recorded product', run: () => recorded(open()) })
  return cases
}

function inventory(backend: Backend): object {
  if (!hasInventory(backend)) return { kernels: 'this backend does not list its kernels' }
  const kernels = backend.inventory()
  const spilling = kernels.filter(({ localBytes }) => localBytes > 0).map(({ name }) => name)
  const found = { count: kernels.length, spilling, kernels }
  const bad = kernels.filter(({ error }) => error !== null)
  if (bad.length === 0) return found
  const names = bad.map(({ name, error }) => `${name}: ${error}`).join('; ')
  throw new CaseFailure(`${bad.length} of ${kernels.length} kernels are not usable: ${names}`, found)
}

async function expectValues(what: string, backend: Backend, buf: Buf, expected: Float32Array): Promise<void> {
  const found = new Float32Array(expected.length)
  await backend.read(buf, found)
  expectEqual(what, found, expected)
}

/** Counts what differs and shows the first places: a wrong layout is read off them. */
function expectEqual(what: string, found: ArrayLike<number>, expected: ArrayLike<number>): void {
  const bad = Array.from(expected, (_, i) => i).filter((i) => found[i] !== expected[i])
  if (bad.length === 0) return
  const places = bad.slice(0, 8).map((i) => `[${i}] expected ${expected[i]!}, found ${found[i]!}`)
  throw new Error(`${what}: ${bad.length} of ${expected.length} differ: ${places.join('; ')}`)
}

async function launch(backend: Backend): Promise<undefined> {
  const y = backend.alloc(4 * 1000)
  backend.fill(y, 1.5, 1000, 'f32')
  await expectValues('fill', backend, y, new Float32Array(1000).fill(1.5))
  backend.free(y)
}

async function copies(backend: Backend): Promise<undefined> {
  // Below and above the pieces in which a driver copies.
  for (const count of [3, 1 << 10, 1 << 22]) {
    const values = Float32Array.from({ length: count }, (_, i) => i % 8191)
    const buf = backend.alloc(4 * count)
    backend.write(buf, values)
    // The bytes were copied when write returned.
    const sent = values.slice()
    values.fill(-1)
    await expectValues(`${4 * count} bytes there and back`, backend, buf, sent)
    backend.free(buf)
  }
}

interface ProductKind {
  readonly dtype: FloatDType
  readonly outDtype: FloatDType
  readonly transA: boolean
  readonly transB: boolean
  readonly bias: boolean
}

/** Whole numbers from -1 to 1: sums of 48 products are exact in all dtypes. */
const whole = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, i) => ((Math.imul(i + seed, 0x9e3779b1) >>> 16) % 3) - 1)

async function product(backend: Backend, kind: ProductKind): Promise<undefined> {
  const { dtype, outDtype, transA, transB } = kind
  const [a, b, bias] = [whole(m * k, 1), whole(k * n, 2), whole(n, 3)]
  const expected = new Float32Array(m * n)
  for (let row = 0; row < m; row++)
    for (let column = 0; column < n; column++) {
      let sum = kind.bias ? bias[column]! : 0
      for (let i = 0; i < k; i++)
        sum += a[transA ? i * m + row : row * k + i]! * b[transB ? column * k + i : i * n + column]!
      expected[row * n + column] = sum
    }
  const upload = (values: Float32Array) => {
    const data = encode(values, dtype)
    const buf = backend.alloc(data.byteLength)
    backend.write(buf, data)
    return buf
  }
  const operands = [upload(a), upload(b), upload(bias)] as const
  const y = backend.alloc(encode(expected, outDtype).byteLength)
  const p = { m, n, k, transA, transB, alpha: 1, beta: 0, dtype, outDtype } as const
  backend.gemm(y, operands[0], operands[1], kind.bias ? operands[2] : null, p)
  const wanted = encode(expected, outDtype)
  const found = outDtype === 'f32' ? new Float32Array(m * n) : new Uint16Array(m * n)
  await backend.read(y, found)
  if (outDtype === 'f32') expectEqual('y', found, wanted)
  else expectEqual('y', Array.from(found, decode(outDtype)), expected)
  for (const buf of [...operands, y]) backend.free(buf)
}

/** A product within a recording: a library's own launches are captured with it. */
async function recorded(backend: Backend): Promise<object | undefined> {
  if (backend.record === undefined) return { recording: 'this backend does not record' }
  const size = 64
  const a = backend.alloc(2 * size * size)
  const y = backend.alloc(4 * size * size)
  backend.write(a, encode(new Float32Array(size * size).fill(1), 'bf16'))
  const p = { m: size, n: size, k: size, transA: false, transB: true, alpha: 1, beta: 0 } as const
  const call = () => backend.gemm(y, a, a, null, { ...p, dtype: 'bf16', outDtype: 'f32' })
  // Outside first: one-time preparations of a library must not be recorded.
  call()
  await backend.synchronize()
  const recording = backend.record(call)
  backend.fill(y, 0, size * size, 'f32')
  recording.replay()
  await expectValues('y', backend, y, new Float32Array(size * size).fill(size))
  recording.release()
  for (const buf of [a, y]) backend.free(buf)
  return undefined
}

const word = new Float32Array(1)
const bits = new Uint32Array(word.buffer)

/** Small whole numbers in a dtype; all of them are exact there. */
function encode(values: Float32Array, dtype: FloatDType): Float32Array | Uint16Array {
  if (dtype === 'f32') return values
  return Uint16Array.from(values, (value) => {
    word[0] = value
    const f32 = bits[0]!
    if (dtype === 'bf16') return f32 >>> 16
    return value === 0
      ? 0
      : ((f32 >>> 16) & 0x8000) | ((((f32 >>> 23) & 0xff) - 112) << 10) | ((f32 >>> 13) & 0x3ff)
  })
}

const decode = (dtype: FloatDType) => (value: number) => {
  if (dtype === 'bf16') bits[0] = value << 16
  else if ((value & 0x7fff) === 0) return 0
  else bits[0] = ((value & 0x8000) << 16) | ((((value >>> 10) & 31) + 112) << 23) | ((value & 0x3ff) << 13)
  return word[0]!
}

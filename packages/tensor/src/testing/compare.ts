import type { Backend, Buf, Kernels } from '../backend.js'
import { itemSize, type DType, type FloatDType } from '../dtype.js'
import { IftError } from '../errors.js'
import { referenceBackend } from '../reference/backend.js'
import { expectedOnce } from './expected.js'
import { fromBf16Bits, fromF16Bits, toBf16Bits, toF16Bits } from '../tensor/float16.js'

/** One buffer of a kernel call. */
export interface Operand {
  readonly dtype: DType
  readonly values: ArrayLike<number>
  /** Written by the kernel: compared, within the tolerance of this dtype. Otherwise it must not change. */
  readonly out?: FloatDType
  /** Bits must be equal, not close. */
  readonly exact?: boolean
}

/** One kernel call on buffers by name. */
export type Call<K extends string> = (kernels: Kernels, buffers: Readonly<Record<K, Buf>>) => void

/** Allowed difference relative to the value and to the root mean square of the buffer: a few roundings of the dtype. */
const tolerances: Readonly<Record<FloatDType, number>> = { f32: 2e-5, f16: 3e-3, bf16: 2e-2 }

/** Deterministic numbers in [-1, 1). */
export function numbers(n: number, seed: number): Float64Array {
  let state = (seed * 2654435761) >>> 0
  return Float64Array.from({ length: n }, () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0
    return (Math.imul(state ^ (state >>> 12), 0x297a2d39) >>> 0) / 2147483648 - 1
  })
}

export function encode(values: ArrayLike<number>, dtype: DType): Uint8Array {
  const n = values.length
  let view: ArrayBufferView
  if (dtype === 'f32') view = Float32Array.from(values)
  else if (dtype === 'i32') view = Int32Array.from(values)
  else if (dtype === 'u8') view = Uint8Array.from(values)
  else {
    const bitsOf = dtype === 'bf16' ? toBf16Bits : toF16Bits
    view = Uint16Array.from({ length: n }, (_, i) => bitsOf(values[i]!))
  }
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}

export function decode(bytes: Uint8Array, dtype: DType): Float64Array {
  const { buffer } = bytes
  if (dtype === 'f32') return new Float64Array(new Float32Array(buffer))
  if (dtype === 'i32') return new Float64Array(new Int32Array(buffer))
  if (dtype === 'u8') return new Float64Array(bytes)
  const value = dtype === 'bf16' ? fromBf16Bits : fromF16Bits
  return Float64Array.from(new Uint16Array(buffer), value)
}

/** Buffers of `backend` with the values of the operands; the caller frees them. */
function upload<K extends string>(backend: Backend, operands: Readonly<Record<K, Operand>>): Record<K, Buf> {
  const buffers = {} as Record<K, Buf>
  for (const name of Object.keys(operands) as K[]) {
    const { values, dtype } = operands[name]
    buffers[name] = backend.alloc(values.length * itemSize(dtype))
    backend.write(buffers[name], encode(values, dtype))
  }
  return buffers
}

type Results<K extends string> = Record<K, Uint8Array<ArrayBuffer>>

async function download<K extends string>(
  backend: Backend,
  operands: Readonly<Record<K, Operand>>,
  buffers: Readonly<Record<K, Buf>>,
): Promise<Results<K>> {
  const results = {} as Results<K>
  for (const name of Object.keys(operands) as K[]) {
    const { values, dtype } = operands[name]
    results[name] = new Uint8Array(values.length * itemSize(dtype))
    await backend.read(buffers[name], results[name])
  }
  return results
}

async function run<K extends string>(
  backend: Backend,
  operands: Readonly<Record<K, Operand>>,
  call: Call<K>,
): Promise<Results<K>> {
  const buffers = upload(backend, operands)
  try {
    call(backend, buffers)
    return await download(backend, operands, buffers)
  } finally {
    for (const buffer of Object.values<Buf>(buffers)) backend.free(buffer)
  }
}

/** What the reference gives; the same call on the same numbers is computed once, however many backends are tried. */
function onReference<K extends string>(
  operands: Readonly<Record<K, Operand>>,
  call: Call<K>,
): Promise<Results<K>> {
  const parts = Object.entries<Operand>(operands).map(
    ([name, { values, dtype }]) => [name, encode(values, dtype)] as const,
  )
  return expectedOnce(callsOf(operands, call), parts, () => run(referenceBackend(), operands, call))
}

/** The kernels that a call runs, with all that they are told; of buffers the places among the operands. */
function callsOf<K extends string>(operands: Readonly<Record<K, Operand>>, call: Call<K>): string {
  const names = Object.keys(operands) as K[]
  const buffers = Object.fromEntries(names.map((name, i) => [name, i])) as unknown as Record<K, Buf>
  const calls: unknown[] = []
  const kernels = new Proxy({} as Kernels, {
    get:
      (_, kernel) =>
      (...args: unknown[]) => {
        calls.push([kernel, args])
      },
  })
  call(kernels, buffers)
  // JSON has no infinite numbers.
  return JSON.stringify(calls, (_, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
  )
}

const failure = (message: string) => new IftError('IFT_CONFORMANCE', message)

/**
 * Runs one kernel call on `backend`, twice, and on the reference: outputs agree within the tolerance of their dtype, inputs
 * are unchanged, both runs give the same bits, and no buffer is left.
 */
export async function compare<K extends string>(
  label: string,
  backend: Backend,
  operands: Readonly<Record<K, Operand>>,
  call: Call<K>,
): Promise<void> {
  const before = backend.memory().buffers
  const expected = await onReference(operands, call)
  const found = await run(backend, operands, call)
  const again = await run(backend, operands, call)
  expectBits(label, 'two runs of the same call', operands, found, again)
  expectResults(label, operands, found, expected)
  const left = backend.memory().buffers - before
  if (left !== 0) throw failure(`${label}: ${left} buffers were left`)
}

/**
 * As `compare`, of a call that is recorded once and replayed on the operands of turns 1, 2 and 1 again: each replay agrees
 * with the reference and gives the bits of the call. Nothing is tried on a backend that cannot record.
 */
export async function compareReplays<K extends string>(
  label: string,
  backend: Backend,
  operandsOf: (turn: number) => Readonly<Record<K, Operand>>,
  call: Call<K>,
): Promise<void> {
  if (backend.record === undefined) return
  const before = backend.memory()
  const buffers = upload(backend, operandsOf(1))
  const recording = backend.record(() => {
    call(backend, buffers)
  })
  for (const turn of [1, 2, 1]) {
    const operands = operandsOf(turn)
    for (const name of Object.keys(operands) as K[]) {
      const { values, dtype } = operands[name]
      backend.write(buffers[name], encode(values, dtype))
    }
    recording.replay()
    const found = await download(backend, operands, buffers)
    const where = `${label}, replayed on the numbers of turn ${turn}`
    expectResults(where, operands, found, await onReference(operands, call))
    expectBits(where, 'the replay and the call', operands, found, await run(backend, operands, call))
  }
  recording.release()
  for (const buffer of Object.values<Buf>(buffers)) backend.free(buffer)
  const { buffers: left, allocated } = backend.memory()
  if (left !== before.buffers || allocated !== before.allocated)
    throw failure(`${label}: a recording left ${allocated - before.allocated} bytes behind`)
}

function expectBits<K extends string>(
  label: string,
  between: string,
  operands: Readonly<Record<K, Operand>>,
  one: Results<K>,
  other: Results<K>,
): void {
  for (const name of Object.keys(operands) as K[]) {
    if (!equal(one[name], other[name])) throw failure(`${label}: ${name} differs between ${between}`)
  }
}

function expectResults<K extends string>(
  label: string,
  operands: Readonly<Record<K, Operand>>,
  found: Results<K>,
  expected: Results<K>,
): void {
  // A sum that cancels to zero keeps the rounding of its terms.
  const floor = Math.max(
    0,
    ...Object.values<Operand>(operands).map(({ values, out, dtype }) =>
      out === undefined && dtype !== 'i32' && dtype !== 'u8' ? cancelled * rms(values) : 0,
    ),
  )
  for (const name of Object.keys(operands) as K[]) {
    const { dtype, out, exact } = operands[name]
    const bytes = found[name]
    const where = `${label}: ${name}`
    if (out === undefined || exact === true) {
      if (!equal(bytes, expected[name])) {
        const a = decode(bytes, dtype)
        const b = decode(expected[name], dtype)
        const at = a.findIndex((v, i) => !Object.is(v, b[i]))
        throw failure(
          `${where}[${at}] expected ${b[at]!}, found ${a[at]!}${out === undefined ? ': an input was changed' : ''}`,
        )
      }
    } else close(where, decode(bytes, dtype), decode(expected[name], dtype), tolerances[out], floor)
  }
}

/** Share of the size of the float inputs that a result is compared against when all of it is expected to be 0. */
const cancelled = 1e-2

function rms(values: ArrayLike<number>): number {
  let square = 0
  for (let i = 0; i < values.length; i++) if (Number.isFinite(values[i])) square += values[i]! ** 2
  return Math.sqrt(square / values.length)
}

function close(
  where: string,
  found: Float64Array,
  expected: Float64Array,
  tolerance: number,
  floor: number,
): void {
  const scale = rms(expected) || floor
  for (let i = 0; i < expected.length; i++) {
    const e = expected[i]!
    const f = found[i]!
    if (e === f || Object.is(e, f)) continue
    if (!(Math.abs(e - f) <= tolerance * (Math.abs(e) + scale) + 1e-30)) {
      throw failure(`${where}[${i}] of ${expected.length} expected ${e}, found ${f}`)
    }
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

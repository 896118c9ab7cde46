import type { Backend, Buf, FloatDType } from '@ift/tensor'
import { afterAll, describe, expect } from 'vitest'

import { instructionSets, openCpu } from '../index.js'

export const dtypes = ['f32', 'bf16', 'f16'] as const

/** Numbers from a fixed sequence in [-scale, scale], exact in f32. */
export const sequence = (n: number, seed: number, scale = 1): Float32Array => {
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

export const round = (values: ArrayLike<number>, dtype: FloatDType): number[] =>
  dtype === 'f32'
    ? Array.from(values)
    : Array.from(values, (value) => fromHalf(halfBits(value, dtype), dtype))

const itemBytes = (dtype: FloatDType) => (dtype === 'f32' ? 4 : 2)
const tolerance = { f32: 3e-6, bf16: 5e-3, f16: 7e-4 } as const

/** Every element within the rounding of the dtype, relative to itself and to `scale`. */
export const close = (found: number[], expected: number[], dtype: FloatDType, scale = 0.1): void => {
  expect(found.length).toBe(expected.length)
  for (const [i, want] of expected.entries()) {
    const got = found[i] ?? NaN
    if (!(Math.abs(got - want) <= tolerance[dtype] * (Math.abs(want) + scale))) {
      expect.fail(`element ${i} is ${got}, expected ${want}`)
    }
  }
}

/** Inputs of awkward size, rounded to the dtype. */
export const input = (n: number, seed: number, dtype: FloatDType, scale = 1) =>
  round(sequence(n, seed, scale), dtype)

export const at = (values: number[], i: number): number => values[i] ?? NaN

/** A backend on one instruction set, and buffers as arrays of numbers. */
export interface Bench {
  readonly backend: Backend
  readonly put: (values: ArrayLike<number>, dtype: FloatDType | 'i32') => Buf
  readonly empty: (n: number, dtype: FloatDType) => Buf
  readonly get: (buf: Buf, n: number, dtype: FloatDType) => Promise<number[]>
}

/** Defines the tests for each instruction set of this processor. */
export function onEachInstructionSet(define: (bench: Bench) => void): void {
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
      define({ backend, put, empty, get })
    })
  }
}

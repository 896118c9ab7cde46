import type { Buf, Unary } from '../backend.js'
import type { FloatDType } from '../dtype.js'
import { erf } from './erf.js'
import type { Memory } from './memory.js'

const logistic = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)))

const tanhScale = Math.sqrt(2 / Math.PI)

/** Value and derivative of each function. */
const functions: Readonly<
  Record<Unary, { readonly value: (x: number) => number; readonly slope: (x: number) => number }>
> = {
  geluTanh: {
    value: (x) => 0.5 * x * (1 + Math.tanh(tanhScale * (x + 0.044715 * x ** 3))),
    slope: (x) => {
      const t = Math.tanh(tanhScale * (x + 0.044715 * x ** 3))
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * tanhScale * (1 + 3 * 0.044715 * x * x)
    },
  },
  geluErf: {
    value: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
    slope: (x) => 0.5 * (1 + erf(x / Math.SQRT2)) + (x * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI),
  },
  silu: {
    value: (x) => x * logistic(x),
    slope: (x) => logistic(x) * (1 + x * (1 - logistic(x))),
  },
  relu: { value: (x) => Math.max(x, 0), slope: (x) => (x > 0 ? 1 : 0) },
  tanh: { value: Math.tanh, slope: (x) => 1 - Math.tanh(x) ** 2 },
  sigmoid: { value: logistic, slope: (x) => logistic(x) * (1 - logistic(x)) },
}

export function unary(memory: Memory, kind: Unary, y: Buf, x: Buf, n: number, dtype: FloatDType): void {
  const xv = memory.floats(x, n, dtype, 'unary', 'x')
  memory.store(y, xv.map(functions[kind].value), dtype, 'unary', 'y')
}

export function unaryBackward(
  memory: Memory,
  kind: Unary,
  dx: Buf,
  dy: Buf,
  x: Buf,
  n: number,
  dtype: FloatDType,
): void {
  const dyv = memory.floats(dy, n, dtype, 'unaryBackward', 'dy')
  const xv = memory.floats(x, n, dtype, 'unaryBackward', 'x')
  const { slope } = functions[kind]
  for (let i = 0; i < n; i++) dyv[i]! *= slope(xv[i]!)
  memory.store(dx, dyv, dtype, 'unaryBackward', 'dx')
}

export function swiglu(memory: Memory, y: Buf, gate: Buf, up: Buf, n: number, dtype: FloatDType): void {
  const gv = memory.floats(gate, n, dtype, 'swiglu', 'gate')
  const uv = memory.floats(up, n, dtype, 'swiglu', 'up')
  for (let i = 0; i < n; i++) uv[i]! *= functions.silu.value(gv[i]!)
  memory.store(y, uv, dtype, 'swiglu', 'y')
}

export function swigluBackward(
  memory: Memory,
  dgate: Buf,
  dup: Buf,
  dy: Buf,
  gate: Buf,
  up: Buf,
  n: number,
  dtype: FloatDType,
): void {
  const dyv = memory.floats(dy, n, dtype, 'swigluBackward', 'dy')
  const gv = memory.floats(gate, n, dtype, 'swigluBackward', 'gate')
  const uv = memory.floats(up, n, dtype, 'swigluBackward', 'up')
  memory.expect(dgate, n, dtype, 'swigluBackward', 'dgate')
  memory.expect(dup, n, dtype, 'swigluBackward', 'dup')
  for (let i = 0; i < n; i++) {
    const g = gv[i]!
    const u = uv[i]!
    gv[i] = dyv[i]! * u * functions.silu.slope(g)
    uv[i] = dyv[i]! * functions.silu.value(g)
  }
  memory.store(dgate, gv, dtype, 'swigluBackward', 'dgate')
  memory.store(dup, uv, dtype, 'swigluBackward', 'dup')
}

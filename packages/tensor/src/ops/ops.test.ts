import { describe, expect, it } from 'vitest'
import {
  columnRuns,
  ops,
  random,
  recompute,
  segments,
  tensor,
  withRandom,
  type Backend,
  type Tensor,
} from '../index.js'
import { gradientCheck } from '../testing/index.js'

const ints = (b: Backend, values: number[]) => tensor(b, values, [values.length], 'i32')

/** A constant of the shape. */
const fixed = (b: Backend, shape: number[]) =>
  tensor(
    b,
    Float32Array.from({ length: shape[0]! * shape[1]! }, (_, i) => Math.sin(i + 1)),
    shape,
  )

const cases: [
  name: string,
  shapes: number[][],
  fn: (b: Backend, x: Tensor, y: Tensor, z: Tensor, r: Tensor) => Tensor,
][] = [
  [
    'linear',
    [
      [3, 4],
      [5, 4],
    ],
    (_, x, w) => ops.linear(x, w),
  ],
  [
    'linear with bias and alpha',
    [[3, 4], [5, 4], [5]],
    (_, x, w, bias) => ops.linear(x, w, { bias, alpha: 0.7 }),
  ],
  [
    'linear with addTo',
    [
      [3, 4],
      [5, 4],
      [3, 5],
    ],
    (_, x, w, r) => ops.linear(x, w, { addTo: r, alpha: 2 }),
  ],
  [
    'linear with addTo given away',
    [
      [3, 4],
      [5, 4],
      [3, 5],
    ],
    (_, x, w, r) => ops.linear(x, w, { addTo: ops.scale(r, 3) }),
  ],
  [
    'linear, bias and addTo',
    [[3, 4], [5, 4], [5], [3, 5]],
    (_, x, w, bias, addTo) => ops.linear(x, w, { bias, addTo }),
  ],
  [
    'lowRankLinear',
    [
      [3, 4],
      [2, 4],
      [5, 2],
    ],
    (backend, x, a, b) => ops.lowRankLinear(x, fixed(backend, [5, 4]), a, b, { scale: 0.5 }),
  ],
  [
    'lowRankLinear, added to and reading something else',
    [
      [3, 4],
      [2, 4],
      [4, 2],
    ],
    (backend, x, a, b) =>
      ops.lowRankLinear(x, fixed(backend, [4, 4]), a, b, { scale: 3, addTo: x, dropped: ops.scale(x, 2) }),
  ],
  [
    'lowRankLinear with bias',
    [[3, 4], [2, 4], [5, 2], [5]],
    (backend, x, a, b, bias) => ops.lowRankLinear(x, fixed(backend, [5, 4]), a, b, { scale: 1, bias }),
  ],
  [
    'lowRankLinear of a trained layer',
    [
      [3, 4],
      [5, 4],
      [2, 4],
      [5, 2],
    ],
    (_, x, w, a, b) => ops.lowRankLinear(x, w, a, b, { scale: 2 }),
  ],
  [
    'one input used three times',
    [
      [3, 4],
      [4, 4],
    ],
    (_, x, w) => ops.add(ops.linear(x, w), ops.mul(x, ops.linear(x, w, { addTo: x }))),
  ],
  [
    'matmul',
    [
      [3, 4],
      [4, 5],
    ],
    (_, a, b) => ops.matmul(a, b, { alpha: 0.5 }),
  ],
  [
    'matmul aT',
    [
      [4, 3],
      [4, 5],
    ],
    (_, a, b) => ops.matmul(a, b, { transA: true }),
  ],
  [
    'matmul bT',
    [
      [3, 4],
      [5, 4],
    ],
    (_, a, b) => ops.matmul(a, b, { transB: true }),
  ],
  [
    'matmul aT bT',
    [
      [4, 3],
      [5, 4],
    ],
    (_, a, b) => ops.matmul(a, b, { transA: true, transB: true }),
  ],
  [
    'add',
    [
      [3, 4],
      [3, 4],
    ],
    (_, a, b) => ops.add(a, b),
  ],
  ['add to itself', [[3, 4]], (_, a) => ops.add(a, a)],
  [
    'sub',
    [
      [3, 4],
      [3, 4],
    ],
    (_, a, b) => ops.sub(a, b),
  ],
  [
    'mul',
    [
      [3, 4],
      [3, 4],
    ],
    (_, a, b) => ops.mul(a, b),
  ],
  ['square by mul', [[3, 4]], (_, a) => ops.mul(a, a)],
  ['scale', [[3, 4]], (_, a) => ops.scale(a, -1.5)],
  ['scaleColumns', [[3, 4], [4]], (_, x, s) => ops.scaleColumns(x, s)],
  ['gatherColumns', [[3, 6]], (_, x) => ops.gatherColumns(x, columnRuns([4, 5, 0, 4]))],
  [
    'replaceColumns',
    [
      [3, 6],
      [3, 3],
    ],
    (_, x, v) => ops.replaceColumns(x, v, columnRuns([4, 5, 0])),
  ],
  [
    'replaceColumns of a product, whose gradient is read besides',
    [
      [3, 4],
      [6, 4],
    ],
    (_, x, w) => {
      const y = ops.linear(x, w)
      const v = ops.linear(x, w.rows(1, 3))
      return ops.add(ops.replaceColumns(ops.scale(y, 2), v, columnRuns([0, 2])), y)
    },
  ],
  ['rmsNorm', [[3, 8], [8]], (_, x, w) => ops.rmsNorm(x, w, 1e-5)],
  ['layerNorm', [[3, 8], [8], [8]], (_, x, w, b) => ops.layerNorm(x, w, b, 1e-5)],
  ['norm of an intermediate weight', [[3, 8], [8]], (_, x, w) => ops.rmsNorm(x, ops.scale(w, 2), 1e-5)],
  ['residual around a norm', [[3, 8], [8]], (_, x, w) => ops.add(x, ops.rmsNorm(x, w, 1e-5))],
  [
    'rope',
    [[3, 2, 8]],
    (b, x) => ops.rope(x, ints(b, [0, 5, 2]), { invFreq: tensor(b, [1, 0.3, 0.1, 0.02], [4]) }),
  ],
  [
    'rope, interleaved, partial, scaled',
    [[3, 2, 8]],
    (b, x) =>
      ops.rope(x, ints(b, [4, 1, 2]), {
        invFreq: tensor(b, [1, 0.3], [2]),
        dimOffset: 2,
        interleaved: true,
        scale: 1.3,
      }),
  ],
  [
    'swiglu',
    [
      [3, 4],
      [3, 4],
    ],
    (_, g, u) => ops.swiglu(g, u),
  ],
  [
    'swiglu of temporaries',
    [
      [3, 4],
      [3, 4],
    ],
    (_, g, u) => ops.swiglu(ops.scale(g, 2), ops.scale(u, 3)),
  ],
  [
    'swiglu of one temporary',
    [[3, 4]],
    (_, x) => {
      const t = ops.scale(x, 2)
      return ops.swiglu(t, t)
    },
  ],
  ['gelu tanh', [[3, 4]], (_, x) => ops.gelu(x, 'tanh')],
  ['gelu erf', [[3, 4]], (_, x) => ops.gelu(x, 'erf')],
  ['silu', [[3, 4]], (_, x) => ops.silu(x)],
  ['relu', [[3, 4]], (_, x) => ops.relu(x)],
  ['tanh', [[3, 4]], (_, x) => ops.tanh(x)],
  ['sigmoid', [[3, 4]], (_, x) => ops.sigmoid(x)],
  ['embedding with repeats', [[5, 3]], (b, t) => ops.embedding(t, ints(b, [4, 0, 4, 4]))],
  ['gatherRows of an intermediate', [[5, 3]], (b, t) => ops.gatherRows(ops.scale(t, 2), ints(b, [1, 1, 2]))],
  ['scatterRows with repeats', [[3, 2]], (b, x) => ops.scatterRows(x, ints(b, [3, 0, 3]), 5)],
  [
    'concatRows',
    [
      [2, 3],
      [1, 3],
      [4, 3],
    ],
    (_, a, b, c) => ops.concatRows([a, b, c]),
  ],
  ['concatRows of one thing twice', [[2, 3]], (_, a) => ops.concatRows([a, ops.scale(a, 2), a])],
  ['rows', [[5, 3]], (_, x) => ops.add(x.rows(1, 3), x.rows(2, 4))],
  ['reshape', [[4, 3]], (_, x) => ops.scale(x.reshape(2, -1), 2)],
  [
    'dropout',
    [[4, 8]],
    (_, x) => withRandom({ seed: 1, step: 2, micro: 3 }, () => ops.dropout(ops.scale(x, 2), 0.3)),
  ],
  [
    'recompute',
    [
      [3, 4],
      [4, 4],
    ],
    (_, x, w) => recompute((t) => ops.add(t, ops.silu(ops.linear(t, w))), x),
  ],
  [
    'custom',
    [
      [3, 4],
      [3, 4],
    ],
    (_, a, b) =>
      ops.custom({
        name: 'product',
        inputs: [a, b],
        forward: () => ({ output: ops.mul(a, b) }),
        backward: (dy, [x, y]) => [ops.mul(dy, y!), ops.mul(dy, x!)],
      }),
  ],
]

describe('gradients equal finite differences', () => {
  for (const [name, shapes, fn] of cases) it(name, () => gradientCheck(fn, { shapes, tolerance: 1e-7 }))

  for (const [name, causal, qLens, kLens, heads, kvHeads, prefix, alibi] of [
    ['causal', true, [3, 2], [3, 2], 2, 2, null, null],
    ['grouped', true, [3, 2], [3, 2], 4, 2, null, null],
    ['bidirectional', false, [3, 2], [3, 2], 2, 1, null, null],
    ['more keys than queries', true, [2, 1], [5, 1], 2, 1, null, null],
    ['empty sequences', true, [2, 0, 1], [2, 0, 1], 2, 1, null, null],
    ['visible prefix', true, [4, 2], [4, 2], 2, 1, [3, 1], null],
    ['ALiBi', true, [4, 2], [4, 2], 2, 2, null, [0.5, 0.25]],
  ] as const) {
    it(`attention: ${name}`, () =>
      gradientCheck(
        (b, q, k, v) =>
          ops.attention(q, k, v, {
            q: segments(b, qLens),
            k: segments(b, kLens),
            causal,
            visiblePrefix: prefix === null ? undefined : ints(b, [...prefix]),
            alibiSlopes: alibi === null ? undefined : tensor(b, alibi, [alibi.length]),
          }),
        {
          shapes: [
            [[...qLens].reduce((a: number, n) => a + n, 0), heads, 4],
            [[...kLens].reduce((a: number, n) => a + n, 0), kvHeads, 4],
            [[...kLens].reduce((a: number, n) => a + n, 0), kvHeads, 4],
          ],
          tolerance: 1e-7,
        },
      ))
  }

  it('linearCrossEntropy, in chunks, with a trained head', () =>
    gradientCheck(
      (b, hidden, w) => {
        const head = {
          inFeatures: 4,
          outFeatures: 7,
          call: (x: Tensor, addTo?: Tensor) => ops.linear(x, w, { addTo }),
        }
        return ops.linearCrossEntropy(ops.scale(hidden, 2), head, ints(b, [1, -100, 6, 0, 3]), {
          gradScale: 0.25,
          chunkRows: 2,
        })
      },
      {
        shapes: [
          [5, 4],
          [7, 4],
        ],
        tolerance: 1e-7,
      },
    ))
})

it('refuses what does not fit, naming operation, argument, expected and found', async () => {
  const { referenceBackend } = await import('../reference/index.js')
  const b = referenceBackend()
  const x = random(b, [3, 4], 'normal', { seed: 1 })
  expect(() => ops.linear(x, random(b, [2, 5], 'normal', { seed: 1 }))).toThrow(
    /linear: w expected \[M, 4\] for x f32 \[3, 4\], found f32 \[2, 5\]/,
  )
  expect(() => ops.rmsNorm(x, random(b, [5], 'normal', { seed: 1 }), 1e-5)).toThrow(
    /rmsNorm: w expected \[4\], found f32 \[5\]/,
  )
  expect(() => ops.add(x, random(b, [3, 4], 'normal', { seed: 1 }, 'bf16'))).toThrow(
    /add: b expected f32, found bf16 \[3, 4\]/,
  )
  expect(() => ops.dropout(x, 0.5)).toThrow(/no random key/)
})

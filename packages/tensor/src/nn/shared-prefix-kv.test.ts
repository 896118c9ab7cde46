import { describe, expect, it, test } from 'vitest'
import {
  noGrad,
  ops,
  PackedKv,
  random,
  scope,
  segments,
  SharedPrefixKv,
  tensor,
  type AttentionOptions,
  type Backend,
  type KeysAndValues,
  type Tensor,
} from '../index.js'
import { referenceBackend } from '../reference/index.js'
import { gradientCheck } from '../testing/index.js'
import { ints } from './decoder.fixture.js'

/** Sequence 2 goes on from 1, which goes on from 0; 3 from 0 as well; 4 from none. */
const lengths = [3, 2, 1, 4, 2]
const prefixes = [-1, 0, 1, 0, -1]
const chains = [[0], [0, 1], [0, 1, 2], [0, 3], [4]]
const starts = lengths.map((_, s) => lengths.slice(0, s).reduce((a, b) => a + b, 0))
const total = 12
const [heads, kvHeads, dim, ahead] = [4, 2, 3, 2]

/** Rows of the batch that make up sequence s. */
const rowsOf = (s: number) =>
  chains[s]!.flatMap((one) => Array.from({ length: lengths[one]! }, (_, i) => starts[one]! + i))

/** The first and the second half of the rows, as given keys and values. */
const halves = (x: Tensor): KeysAndValues => {
  const backend = x.backend
  const flat = x.reshape(x.dim(0), -1)
  const half = (from: number) =>
    ops
      .gatherRows(
        flat,
        ints(
          backend,
          Array.from({ length: x.dim(0) / 2 }, (_, i) => from + i),
        ),
      )
      .reshape(-1, x.dim(1), x.dim(2))
  return { k: half(0), v: half(x.dim(0) / 2) }
}

const slopes = (backend: Backend) => tensor(backend, [0.5, 0.25, 0.125, 0.0625], [heads])

describe.each([
  ['chains', true, false, false],
  ['chains with ALiBi', true, false, true],
  ['given keys and values', false, true, false],
  ['chains behind given keys and values, with ALiBi', true, true, true],
])('%s', (_name, chained, given, alibi) => {
  const sequences = chained ? prefixes : undefined
  const options = (backend: Backend): AttentionOptions => ({
    causal: true,
    alibiSlopes: alibi ? slopes(backend) : undefined,
  })

  it('equal the same sequences written out', async () => {
    const backend = referenceBackend()
    const part = (rows: number, count: number, seed: number) =>
      random(backend, [rows, count, dim], 'normal', { seed })
    const [q, k, v] = [part(total, heads, 1), part(total, kvHeads, 2), part(total, kvHeads, 3)]
    const { k: gk, v: gv } = halves(part(2 * ahead, kvHeads, 4))
    const found = await scope(() =>
      noGrad(() =>
        new SharedPrefixKv(segments(backend, lengths), sequences, given ? [{ k: gk, v: gv }] : undefined)
          .attend(0, q, k, v, options(backend))
          .read(),
      ),
    )
    for (let s = 0; s < lengths.length; s++) {
      const rows = chained ? rowsOf(s) : Array.from({ length: lengths[s]! }, (_, i) => starts[s]! + i)
      const whole = await scope(() =>
        noGrad(() => {
          const pick = (x: Tensor, before: Tensor | null) => {
            const own = ops
              .gatherRows(x.reshape(total, -1), ints(backend, rows))
              .reshape(rows.length, x.dim(1), dim)
            return before === null ? own : ops.concatRows([before, own])
          }
          // Queries of the given rows do not exist; any will do, because their results are not looked at.
          const noQueries = given ? part(ahead, heads, 9) : null
          const kv = new PackedKv(segments(backend, [rows.length + (given ? ahead : 0)]))
          return kv
            .attend(
              0,
              pick(q, noQueries),
              pick(k, given ? gk : null),
              pick(v, given ? gv : null),
              options(backend),
            )
            .read()
        }),
      )
      const size = lengths[s]! * heads * dim
      const own = found.subarray(starts[s]! * heads * dim, starts[s]! * heads * dim + size)
      for (const [i, value] of whole.subarray(whole.length - size).entries())
        expect(own[i], `sequence ${s}, element ${i}`).toBeCloseTo(value, 5)
    }
  })

  it('have the gradient of finite differences', () =>
    gradientCheck(
      (backend, q, k, v, table) =>
        new SharedPrefixKv(segments(backend, lengths), sequences, given ? [halves(table)] : undefined).attend(
          0,
          q,
          k,
          v,
          options(backend),
        ),
      {
        shapes: [
          [total, heads, dim],
          [total, kvHeads, dim],
          [total, kvHeads, dim],
          ...(given ? [[2 * ahead, kvHeads, dim]] : []),
        ],
        tolerance: 1e-7,
      },
    ))
})

test('given keys are seen by rows that see what comes after them', () =>
  gradientCheck(
    (backend, q, k, v, table) =>
      new SharedPrefixKv(segments(backend, [4, 2]), undefined, [halves(table)]).attend(0, q, k, v, {
        causal: true,
        visiblePrefix: ints(backend, [ahead + 3, ahead]),
      }),
    {
      shapes: [
        [6, heads, dim],
        [6, kvHeads, dim],
        [6, kvHeads, dim],
        [2 * ahead, kvHeads, dim],
      ],
      tolerance: 1e-7,
    },
  ))

test('a sequence goes on from an earlier one, and from nothing that sees what follows', () => {
  const backend = referenceBackend()
  const own = segments(backend, [1, 1, 1])
  for (const wrong of [[-1, 2, -1], [-1, 1, -1], [1, 0, -1], [-1, -2, 0], [-1, 0.5, 0], [-1]])
    expect(() => new SharedPrefixKv(own, wrong)).toThrow(
      /sequence \d of 3 goes on from \S+, expected an earlier one, or -1/,
    )
  const x = random(backend, [3, 2, 2], 'normal', { seed: 1 })
  const visiblePrefix = ints(backend, [1, 1, 1])
  expect(() =>
    new SharedPrefixKv(own, [-1, 0, -1]).attend(0, x, x, x, { causal: true, visiblePrefix }),
  ).toThrow(/cannot be shared/)
  const given = [{ k: x, v: x }]
  expect(() => new SharedPrefixKv(own, undefined, given).attend(1, x, x, x, { causal: true })).toThrow(
    /layer 1 has no given keys and values, which are of 1 layers/,
  )
})

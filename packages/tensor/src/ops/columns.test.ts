import { expect, it } from 'vitest'
import { backward, columnRuns, ops, Parameter, random, scope, tensor } from '../index.js'
import { referenceBackend } from '../reference/index.js'

const b = referenceBackend()
const ints = (values: number[]) => tensor(b, values, [values.length], 'i32')

it('replaces the columns of what it is given in place, and takes whole numbers from a table', async () => {
  const matrix = (cols: number, from: number) =>
    tensor(
      b,
      Float32Array.from({ length: 2 * cols }, (_, i) => from + i),
      [2, cols],
    )
  const replaced = scope(() => {
    const given = ops.scale(matrix(5, 0), 1)
    const { storage } = given
    const y = ops.replaceColumns(given, matrix(3, 100), columnRuns([3, 4, 1]))
    expect(y.storage).toBe(storage)
    return y
  })
  expect([...(await replaced.read())]).toEqual([0, 102, 2, 100, 101, 5, 105, 7, 103, 104])
  const taken = ops.gatherIndices(ints([7, 0, 2_000_000, -1]), ints([3, 2, 2, 0]))
  expect([...(await taken.readInts())]).toEqual([-1, 2_000_000, 2_000_000, 7])
  const x = matrix(4, 0)
  expect(() => ops.gatherColumns(x, columnRuns([3, 4]))).toThrow(
    /gatherColumns: columns expected within 0 \.\. 3, found 3 \.\. 4/,
  )
  expect(() => ops.replaceColumns(x, matrix(1, 0), columnRuns([1, 2]))).toThrow(
    /replaceColumns: v expected \[2, 2\], found f32 \[2, 1\]/,
  )
})

it('replaceColumns refuses a column that is in two runs', () => {
  const x = tensor(b, new Float32Array(12), [2, 6])
  const v = (columns: number) => tensor(b, new Float32Array(2 * columns), [2, columns])
  const refused = (runs: Parameters<typeof ops.replaceColumns>[2], column: number) => {
    const columns = runs.reduce((sum, { count }) => sum + count, 0)
    expect(() => ops.replaceColumns(x, v(columns), runs)).toThrow(
      `replaceColumns: columns expected each once, found ${column} twice`,
    )
    // To be taken twice is another matter: the gradients add up.
    expect(scope(() => ops.gatherColumns(x, runs).shape)).toEqual([2, columns])
  }
  refused(columnRuns([4, 4]), 4)
  refused(columnRuns([0, 3, 1, 2, 3]), 3)
  refused(
    [
      { first: 2, count: 3 },
      { first: 0, count: 3 },
    ],
    2,
  )
  refused(
    [
      { first: 0, count: 6 },
      { first: 5, count: 1 },
    ],
    5,
  )
  const apart = columnRuns([4, 5, 2, 3, 0])
  expect(scope(() => ops.replaceColumns(ops.scale(x, 1), v(5), apart).shape)).toEqual([2, 6])
})

it('scaleColumns computes the output of an activation again instead of keeping it', () => {
  let ran = 0
  const real = b.swiglu.bind(b)
  b.swiglu = (...args) => {
    ran++
    real(...args)
  }
  const factors = new Parameter([4])
  factors.assign(random(b, [4], 'normal', { seed: 3 }))
  factors.setTrainable(true)
  const [gate, up] = [random(b, [3, 4], 'normal', { seed: 1 }), random(b, [3, 4], 'normal', { seed: 2 })]
  scope(() => {
    const needsGradient = ops.scaleColumns(gate, factors.value)
    const hidden = scope(() => ops.scaleColumns(ops.swiglu(needsGradient, up), factors.value))
    const loss = ops.matmul(hidden.reshape(1, 12), hidden.reshape(1, 12), { transB: true }).reshape(1)
    expect(ran).toBe(1)
    backward(loss)
  })
  expect(ran).toBe(2)
})

import type { FloatDType } from '../../dtype.js'
import { IftError } from '../../errors.js'
import { compare, encode, numbers } from '../compare.js'
import type { KernelCase } from '../conformance.js'

/** Whole numbers of four bytes, which as f32 are tiny or no numbers. */
const wholeNumbers: KernelCase = {
  name: 'gatherRows f32 moves bits',
  run: async (backend) => {
    const values = Int32Array.of(0, 1, -1, 2 ** 23 + 5, 77, -2_000_000_001)
    const picked = Int32Array.of(5, 2, 1, 3)
    const table = backend.alloc(values.byteLength)
    const ids = backend.alloc(picked.byteLength)
    const y = backend.alloc(picked.byteLength)
    backend.write(table, values)
    backend.write(ids, picked)
    backend.gatherRows(y, table, ids, picked.length, 1, values.length, 'f32')
    const found = new Int32Array(picked.length)
    await backend.read(y, found)
    for (const buf of [table, ids, y]) backend.free(buf)
    const expected = picked.map((id) => values[id]!)
    if (found.join() !== expected.join())
      throw new IftError(
        'IFT_CONFORMANCE',
        `gatherRows of whole numbers: expected ${expected.join(', ')}, found ${found.join(', ')}`,
      )
  },
}

export const rowCases = (dtype: FloatDType): KernelCase[] => [
  {
    name: `gatherRows ${dtype}`,
    run: async (backend) => {
      for (const [tableRows, cols, ids] of [
        [1, 1, [0]],
        [9, 65, [8, 0, 8, 3]],
        [5, 64, [4, 4, 4, 4, 4, 4, 0]],
      ] as const) {
        await compare(
          `gatherRows of ${tableRows}×${cols}`,
          backend,
          {
            y: { dtype, values: numbers(ids.length * cols, 1), out: dtype, exact: true },
            table: { dtype, values: numbers(tableRows * cols, 2) },
            ids: { dtype: 'i32', values: ids },
          },
          (kernels, { y, table, ids: index }) =>
            kernels.gatherRows(y, table, index, ids.length, cols, tableRows, dtype),
        )
      }
    },
  },
  ...(dtype === 'f32' ? [wholeNumbers] : []),
  {
    name: `scatterRows ${dtype}`,
    run: async (backend) => {
      for (const tableDtype of new Set([dtype, 'f32'] as const)) {
        for (const [beta, ids] of [
          [0, [4, 0, 6]],
          [1, [4, 0, 6]],
          [1, [5, 5, 1, 5]],
        ] as const) {
          for (const cols of [1, 63, 64]) {
            await compare(
              `scatterRows ${ids.length}×${cols} into ${tableDtype}, beta ${beta}`,
              backend,
              {
                table: { dtype: tableDtype, values: numbers(7 * cols, 1), out: tableDtype },
                x: { dtype, values: numbers(ids.length * cols, 2) },
                ids: { dtype: 'i32', values: ids },
              },
              (kernels, { table, x, ids: index }) =>
                kernels.scatterRows(table, x, index, ids.length, cols, 7, dtype, tableDtype, beta),
            )
          }
        }
      }
    },
  },
  {
    name: `row ids outside the table ${dtype}`,
    run: async (backend) => {
      for (const bad of [-1, 4]) {
        const table = backend.alloc(16 * 4)
        const y = backend.alloc(16 * 4)
        const ids = backend.alloc(8)
        backend.write(table, encode(numbers(16, 1), 'f32'))
        backend.write(ids, Int32Array.of(1, bad))
        let found: unknown
        try {
          backend.gatherRows(y, table, ids, 2, 4, 4, dtype)
          await backend.synchronize()
        } catch (error) {
          found = error
        }
        if (!(found instanceof IftError)) {
          throw new IftError('IFT_CONFORMANCE', `gatherRows: id ${bad} of a table of 4 rows was not refused`)
        }
        for (const buf of [table, y, ids]) backend.free(buf)
      }
    },
  },
]

import { expect, test } from 'vitest'
import { bounded } from './uncapped.js'

const bound = { most: 5, counted: 20 }

/** A set of so many records; `read` counts those that were read. */
function set(count: number, large = true) {
  const read = { count: 0 }
  const dropped = new Map<string, number>()
  async function* examples() {
    for (let i = 0; i < count; i++, read.count++) {
      dropped.set('empty', (dropped.get('empty') ?? 0) + 1)
      yield await Promise.resolve(i)
    }
  }
  return { name: 'xp3', large, examples, dropped, read }
}
async function all(examples: AsyncIterable<unknown>) {
  const list: unknown[] = []
  for await (const one of examples) list.push(one)
  return list
}

test('records up to the bound pass; of more, their number is said', async () => {
  const passes = bounded(set(5), bound)
  await passes.checkFirst()
  expect(passes.found.dropped.size).toBe(0)
  expect(await all(passes.found.examples())).toEqual([0, 1, 2, 3, 4])
  passes.checkCount(5)
  for (const [count, said] of [
    [6, '6'],
    [20, '20'],
    [Infinity, 'more than 20'],
  ] as const) {
    const { found, checkFirst, checkCount } = bounded(set(count), bound)
    const error = {
      code: 'IFT_DATA_CAP',
      message: expect.stringContaining(`"xp3" has ${said} records`) as string,
    }
    await expect(checkFirst()).rejects.toMatchObject(error)
    await expect(all(found.examples())).rejects.toMatchObject(error)
    expect(() => {
      checkCount(count)
    }).toThrow(expect.objectContaining(error))
  }
})

test('a set that is not large is counted as it is read, and one without a bound is not', async () => {
  const small = bounded(set(6, false), bound)
  await small.checkFirst()
  expect(small.found.read.count).toBe(0)
  await expect(all(small.found.examples())).rejects.toMatchObject({ code: 'IFT_DATA_CAP' })
  const free = bounded(set(100), null)
  await free.checkFirst()
  expect(free.found.read.count).toBe(0)
  free.checkCount(100)
  expect(await all(free.found.examples())).toHaveLength(100)
})

import { describe, expect, it } from 'vitest'
import { noGrad, PagedKvCache, random, scope, type Backend } from '../index.js'
import { referenceBackend } from '../reference/index.js'
import { assertNoLeaks } from '../testing/index.js'
import { Decoder, fill, ints, packed, sequences, sizes } from './decoder.fixture.js'

describe('rows that are written into a cache', () => {
  const cacheOf = (backend: Backend) =>
    new PagedKvCache(backend, { layers: 1, kvHeads: 1, headDim: 2, dtype: 'f32', pageSize: 4, pages: 2 })
  const layersOf = (backend: Backend, rows: number) => {
    const x = random(backend, [rows, 1, 2], 'normal', { seed: 1 })
    return [{ k: x, v: x }]
  }

  it('take positions, or leave them to what comes behind', () => {
    const backend = referenceBackend()
    const cache = cacheOf(backend)
    const [placed, unplaced] = [cache.add(), cache.add()]
    cache.append(placed, layersOf(backend, 3))
    cache.append(unplaced, layersOf(backend, 3), { positions: false })
    const fork = cache.fork(unplaced)
    expect([placed, unplaced, fork].map((id) => cache.length(id))).toEqual([3, 3, 3])
    const { positions, lengths, maxPosition } = cache.layout([
      [unplaced, 2],
      [fork, 1],
    ])
    expect([...positions]).toEqual([0, 1, 0])
    expect([...lengths]).toEqual([5, 4])
    expect(maxPosition).toBe(2)
    expect([...cache.layout([[placed, 2]]).positions]).toEqual([3, 4])
    expect([...cache.layout([[unplaced, 1]]).positions]).toEqual([2])
    // Without positions only the start of a sequence can be.
    expect(() => {
      cache.append(placed, layersOf(backend, 1), { positions: false })
    }).toThrow(/rows without positions expected an empty sequence, found 5 rows/)
    cache.release()
  })
})

describe('sequences', () => {
  const hiddenOf = (model: Decoder, backend: Backend, of: readonly (readonly number[])[]) =>
    scope(() => noGrad(() => model.call(packed(backend, of)).read()))

  it('packed equals one by one', async () => {
    const backend = referenceBackend()
    const model = new Decoder(sizes)
    fill(model, backend)
    const together = [...(await hiddenOf(model, backend, sequences))]
    const apart: number[] = []
    for (const sequence of sequences) apart.push(...(await hiddenOf(model, backend, [sequence])))
    expect(together).toEqual(apart)
  })

  it('decoding over pages equals the full forward, with forks, growth and removal', async () => {
    const backend = referenceBackend()
    const model = new Decoder(sizes)
    fill(model, backend)
    const check = assertNoLeaks(backend)
    const { layers, kvHeads, hidden, heads } = sizes
    const cache = new PagedKvCache(backend, {
      layers,
      kvHeads,
      headDim: hidden / heads,
      dtype: 'f32',
      pageSize: 4,
      pages: 2,
    })
    const feed = (parts: readonly (readonly [id: number, ids: readonly number[]])[]) =>
      scope(() =>
        noGrad(() => {
          const s = cache.step(parts.map(([id, ids]) => [id, ids.length] as const))
          const { positions, segments, maxPosition } = s
          const ids = ints(
            backend,
            parts.flatMap(([, rows]) => rows),
          )
          return model.call({ ids, positions, segments, kv: s, maxPosition }).read()
        }),
      )
    const expectTail = async (found: Float32Array, whole: readonly number[]) => {
      const full = await hiddenOf(model, backend, [whole])
      const tail = found.slice(-hidden)
      for (const [i, v] of full.slice(-hidden).entries()) expect(tail[i]!).toBeCloseTo(v, 5)
    }
    const a = cache.add()
    const b = cache.add()
    await feed([
      [a, [1, 5, 9, 2, 2, 7]],
      [b, [3]],
    ])
    const fork = cache.fork(a)
    expect(cache.pages.total - cache.pages.free).toBe(2 + 1 + 1)
    await feed([[a, [4]]])
    await expectTail(await feed([[fork, [8, 8, 8]]]), [1, 5, 9, 2, 2, 7, 8, 8, 8])
    await expectTail(await feed([[a, [6]]]), [1, 5, 9, 2, 2, 7, 4, 6])
    await expectTail(await feed([[b, [2, 2]]]), [3, 2, 2])
    cache.remove(a)
    await expectTail(
      await feed([
        [b, [9]],
        [fork, [1]],
      ]),
      [1, 5, 9, 2, 2, 7, 8, 8, 8, 1],
    )
    expect(cache.length(fork)).toBe(10)
    cache.remove(fork)
    cache.remove(b)
    expect(cache.pages.free).toBe(cache.pages.total)
    expect(() => cache.length(b)).toThrow(/there is no sequence/)
    cache.release()
    check()
  })
})

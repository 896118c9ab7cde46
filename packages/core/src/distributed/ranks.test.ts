import type { Backend, Buf } from '@ift/tensor'
import { expect, test } from 'vitest'
import { Ranks, type Facts } from './ranks.js'

/** As many ranks of one process: memory by number, and an all-gather that is done when every rank has called it. */
function world(worldSize: number): Ranks[] {
  const rounds: { bytes: Uint8Array[]; done: Promise<void>; end: () => void }[] = []
  const roundAt = (i: number) => {
    if (!rounds[i]) {
      let end!: () => void
      const done = new Promise<void>((resolve) => (end = resolve))
      rounds[i] = { bytes: [], done, end }
    }
    return rounds[i]
  }
  return Array.from({ length: worldSize }, (_, rank) => {
    const memory: Uint8Array[] = []
    let calls = 0
    let last = Promise.resolve()
    const backend = {
      alloc: (bytes: number) => memory.push(new Uint8Array(bytes)) - 1,
      free: () => undefined,
      write: (dst: Buf, src: Uint8Array) => {
        memory[dst]!.set(src)
      },
      read: async (src: Buf, dst: Uint8Array) => {
        await last
        dst.set(memory[src]!.subarray(0, dst.length))
      },
      comm: {
        rank,
        worldSize,
        allGather: (dst: Buf, src: Buf, n: number) => {
          const round = roundAt(calls++)
          round.bytes[rank] = memory[src]!.slice(0, n)
          if (Object.keys(round.bytes).length === worldSize) round.end()
          last = round.done.then(() => {
            for (const [i, bytes] of round.bytes.entries()) memory[dst]!.set(bytes, i * n)
          })
        },
      },
    }
    return Ranks.of(backend as unknown as Backend)!
  })
}

/** What each rank throws when it has these facts. */
async function agree(...facts: Facts[]): Promise<string[]> {
  const results = await Promise.allSettled(world(facts.length).map((ranks, i) => ranks.agree(facts[i]!)))
  return results.map((result) =>
    result.status === 'fulfilled' ? 'agreed' : (result.reason as Error).message.replace(/^.*\n/, ''),
  )
}

test('equal facts in any order agree', async () => {
  expect(await agree({ a: { x: 1, y: 'two' } }, { a: { y: 'two', x: 1 } })).toEqual(['agreed', 'agreed'])
})

test('each field that differs is told on every rank, with what the ranks have', async () => {
  const facts = { config: { lr: '0.01', seed: '1' }, data: { samples: 7 } }
  const messages = await agree(
    facts,
    { ...facts, config: { lr: '0.02', seed: '1' } },
    { config: { lr: '0.03', seed: '1' }, data: { samples: 8 } },
    { config: { lr: '0.02', seed: '1', rope: 'on' }, data: { samples: 7 } },
  )
  const expected = [
    '  - config lr: ranks 1, 3 have 0.02, rank 2 has 0.03, rank 0 has 0.01',
    '  - data samples: rank 2 has 8, rank 0 has 7',
    '  - config rope: rank 3 has on, rank 0 has nothing',
  ].join('\n')
  expect(messages).toEqual([expected, expected, expected, expected])
})

test('long values are cut, and differ by more than their beginning', async () => {
  const [one, other] = await agree(
    { model: { trained: `${'x'.repeat(5000)}y` } },
    { model: { trained: `${'x'.repeat(5000)}z` } },
  )
  expect(one).toBe(other)
  expect(one).toMatch(/^ {2}- model trained: rank 1 has x{80}… \(sha256 [0-9a-f]{12}\), rank 0 has x{80}… \(/)
  const [a, b] = [...one!.matchAll(/sha256 (\w+)/g)].map(([, hash]) => hash)
  expect(a).not.toBe(b)
})

test('the first dozen of many differences is shown', async () => {
  const fields = (value: number) =>
    Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`field-${i + 10}`, value]))
  const [message] = await agree({ all: fields(1) }, { all: fields(2) })
  expect(message!.split('\n')).toHaveLength(13)
  expect(message).toMatch(/and 18 more$/)
})

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { comparePairs, runsOf, similarity, writeNearRows } from './near-rows.mjs'

test('similarity is that of the sets of runs of five words', () => {
  const words = 'a b c d e f g h i j'.split(' ')
  expect(runsOf(words)).toEqual(
    new Set(['a b c d e', 'b c d e f', 'c d e f g', 'd e f g h', 'e f g h i', 'f g h i j']),
  )
  expect(similarity(runsOf(words), runsOf(words))).toBe(1)
  // Another last word takes one run of six, and brings one.
  expect(similarity(runsOf(words), runsOf([...words.slice(0, 9), 'x']))).toBe(5 / 7)
  expect(runsOf(['a', 'b'])).toEqual(new Set(['a b']))
})

test('pairs are held against the rows of the file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ift-near-rows-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = join(folder, 'rows.jsonl')
  const { copies, near } = writeNearRows(file, 500)
  expect((await readFile(file, 'utf8')).trimEnd().split('\n')).toHaveLength(500)
  expect(near.length).toBeGreaterThan(10)
  expect(copies).toBeGreaterThan(near.length)
  const [first, second, ...rest] = near
  if (!first || !second) throw new Error('no pairs')
  // One that is found alone, one with another earlier row, and one that is not so.
  const ours = [first, second, ...rest]
  const theirs: [number, number][] = [[first[0] + 1, first[1]], ...rest, [0, 1]]
  expect(await comparePairs(file, ours, theirs)).toEqual({
    both: near.length - 1,
    with_the_same_earlier_row: near.length - 2,
    ift: { pairs: near.length, near: near.length, less_near: 0 },
    peer: { pairs: near.length, near: near.length - 2, less_near: 2 },
    ift_alone: { pairs: 1, near: 1, less_near: 0 },
    peer_alone: { pairs: 1, near: 0, less_near: 1 },
  })
})

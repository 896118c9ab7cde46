import { existsSync, readdirSync, readlinkSync, utimesSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Sample } from '../../contract/data.js'
import { ignoredLabel } from '../encode.js'
import { DataRandom } from '../random.js'
import { mixSamples } from '../mixture/index.js'
import { createPacker } from '../pack.js'
import { SampleStoreBuilder } from './builder.js'
import { cacheSize, pruneCache } from './cache-folder.js'
import { RowSamples } from './row-samples.js'
import { SampleStore } from './sample-store.js'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ift-store-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const counts = { examples: 6, truncated: 0, cutTokens: 0, long: 0, untrained: 0, filtered: 0 }

/** Samples that do not begin where pieces of memory or of reading do, one with more tokens than a piece, and two without any. */
const samples = [400_003, 400_003, 0, 1_500_001, 1, 70_001, 0, 2].map((length, n): Sample => {
  const ids = Int32Array.from({ length }, (_, i) => (i * 7 + n) % 50_000)
  return { ids, labels: ids.map((id, i) => ((i + n) % 3 === 0 ? id : ignoredLabel)) }
})

const builderOf = (
  list: readonly Sample[],
  options?: ConstructorParameters<typeof SampleStoreBuilder>[0],
) => {
  const builder = new SampleStoreBuilder(options)
  return {
    builder,
    fill: async () => {
      for (const sample of list) {
        builder.add(sample)
        await builder.flush()
      }
    },
  }
}

const same = (a: Int32Array, b: Int32Array) =>
  Buffer.compare(new Uint8Array(a.buffer, a.byteOffset, a.byteLength), new Uint8Array(b.buffer)) === 0

function expectSamples(store: SampleStore, list: readonly Sample[], order = list.keys()) {
  expect(store.count).toBe(list.length)
  expect(store.tokens).toBe(list.reduce((sum, { ids }) => sum + ids.length, 0))
  for (const i of order) {
    const { ids, labels } = list[i]!
    const found = store.sample(i)
    expect(same(found.ids, ids) && same(found.labels, labels), `sample ${i}`).toBe(true)
    expect(store.length(i)).toBe(ids.length)
    expect(store.trained(i)).toBe(labels.subarray(1).filter((label) => label !== ignoredLabel).length)
    expect(store.learnsFirst(i)).toBe(ids.length > 0 && labels[0] !== ignoredLabel)
  }
  expect(() => store.sample(list.length)).toThrow(`Sample ${list.length} of ${list.length}`)
}

describe('a store', () => {
  test('is the same in memory, in a file, and in a file that was opened again', async () => {
    const inMemory = builderOf(samples)
    await inMemory.fill()
    const memory = inMemory.builder.build(counts)
    const path = join(dir, 'a.samples')
    const kept = builderOf(samples, { dir })
    await kept.fill()
    // What is written is not kept in memory.
    expect((await readdir(dir)).filter((name) => name.endsWith('.tmp'))).toHaveLength(1)
    const written = await kept.builder.keep(path, counts, { 'no answer': 2 })
    expect(await readdir(dir)).toEqual(['a.samples'])
    const opened = (await SampleStore.open(path))!
    for (const store of [memory, written, opened]) {
      expectSamples(store, samples)
      expectSamples(store, samples, [7, 3, 5, 4, 0, 6, 1, 2, 3].values())
      expect(store.sha256).toBe(memory.sha256)
      expect(store.counts).toEqual(counts)
      store.close()
    }
    expect(opened.dropped).toEqual({ 'no answer': 2 })
    expect(() => opened.sample(0)).toThrow('after the data were released')
    const [changed] = [builderOf([samples[0]!, samples[1]!, samples[3]!])]
    await changed.fill()
    expect(changed.builder.build(counts).sha256).not.toBe(memory.sha256)
  })

  test('many short samples, read in order, backwards and at random', async () => {
    const random = new DataRandom('store', 1)
    const list = Array.from({ length: 3000 }, (): Sample => {
      const ids = Int32Array.from({ length: random.below(120) }, () => random.below(100))
      return { ids, labels: ids.map((id) => (random.below(2) ? id : ignoredLabel)) }
    })
    const { builder, fill } = builderOf(list, { dir })
    await fill()
    const store = await builder.keep(join(dir, 'short.samples'), counts)
    expectSamples(store, list)
    expectSamples(store, list, [...list.keys()].reverse().values())
    expectSamples(store, list, Array.from(list, () => random.below(list.length)).values())
    store.close()
  })

  test('beyond 64 MiB what is not kept lies in a file without a name', async () => {
    const long: Sample = { ids: new Int32Array(9 << 20).fill(5), labels: new Int32Array(9 << 20).fill(5) }
    const before = (await readdir(tmpdir())).filter((name) => name.startsWith('ift-samples-'))
    const { builder, fill } = builderOf([long, samples[0]!, long, samples[1]!])
    await fill()
    const openFiles = () =>
      readdirSync('/proc/self/fd').flatMap((fd) => {
        try {
          return [readlinkSync(`/proc/self/fd/${fd}`)]
        } catch {
          return []
        }
      })
    if (process.platform === 'linux')
      expect(openFiles().filter((path) => /ift-samples-.*deleted/.test(path))).not.toEqual([])
    const store = builder.build(counts)
    expectSamples(store, [long, samples[0]!, long, samples[1]!])
    expect((await readdir(tmpdir())).filter((name) => name.startsWith('ift-samples-'))).toEqual(before)
    store.close()
  })

  test('where nothing can be written everything stays in memory', async () => {
    const file = join(dir, 'a-file')
    await writeFile(file, '')
    const { builder, fill } = builderOf(samples, { dir: join(file, 'below') })
    await fill()
    await expect(builder.keep(join(file, 'below', 'a.samples'), counts)).rejects.toMatchObject({
      code: 'IFT_CACHE_WRITE',
    })
    expectSamples(builder.build(counts), samples)
  })

  test('what was begun and is not wanted leaves nothing', async () => {
    const place = join(dir, 'discarded')
    const { builder, fill } = builderOf(samples, { dir: place })
    await fill()
    expect(await readdir(place)).toHaveLength(1)
    await builder.discard()
    expect(await readdir(place)).toEqual([])
  })

  test('a file that is cut while it is used ends with an error that names it', async () => {
    const { builder, fill } = builderOf(samples, { dir })
    await fill()
    const path = join(dir, 'cut.samples')
    const store = await builder.keep(path, counts)
    await truncate(path, 4_000_000)
    expect(() => store.sample(3)).toThrow(expect.objectContaining({ code: 'IFT_FILE_CHANGED' }))
    store.close()
    expect(await SampleStore.open(path)).toBeNull()
  })

  test('one byte more, or arrays that do not fit, are another file', async () => {
    const path = join(dir, 'longer.samples')
    const { builder, fill } = builderOf(samples.slice(4), { dir })
    await fill()
    ;(await builder.keep(path, counts)).close()
    const good = await readFile(path)
    for (const bad of [Buffer.concat([good, Buffer.of(0)]), Buffer.concat([good, good]), Buffer.alloc(60)]) {
      await writeFile(path, bad)
      expect(await SampleStore.open(path)).toBeNull()
    }
    await writeFile(path, good)
    const opened = await SampleStore.open(path)
    expectSamples(opened!, samples.slice(4))
    opened!.close()
  })

  test('labels must belong to their ids, and ids are ids', () => {
    const add = (ids: number[], labels: number[]) => () => {
      new SampleStoreBuilder().add({ ids: Int32Array.from(ids), labels: Int32Array.from(labels) })
    }
    expect(add([1, 2], [-100, 3])).toThrow(/labels\[1\]/)
    expect(add([1, 2], [1])).toThrow(/2 ids and 1 labels/)
    expect(add([1, -2], [1, -100])).toThrow(/ids\[1\] of a sample is -2/)
  })
})

describe('samples by row', () => {
  const sampleOf = (id: number): Sample => ({ ids: Int32Array.of(id, id), labels: Int32Array.of(-100, id) })
  /** Of the examples 10, 11, … those in `without` give no sample. */
  function storeOf(examples: number, without: readonly number[]) {
    const builder = new SampleStoreBuilder()
    // As a hook may drop what is read while those before are still tokenised.
    for (const example of [...without].reverse()) builder.addWithout(example)
    for (let i = 0; i < examples; i++) if (!without.includes(i)) builder.add(sampleOf(10 + i))
    return builder.build(counts)
  }

  test('rows that were not asked for, and those that gave none, have none', async () => {
    const samples = new RowSamples(storeOf(5, [0, 3]), 9, Int32Array.of(1, 2, 4, 7, 8))
    const found = Array.from({ length: samples.count }, (_, row) =>
      samples.length(row) === 0 ? null : samples.sample(row).ids[0],
    )
    expect(found).toEqual([null, null, 11, null, 12, null, null, null, 14])
    expect([samples.trained(2), samples.learnsFirst(2)]).toEqual([1, false])
    expect(() => samples.sample(1)).toThrow('Row 1 of 9 has no sample')
    const others = [
      new RowSamples(storeOf(5, [0, 2]), 9, Int32Array.of(1, 2, 4, 7, 8)),
      new RowSamples(storeOf(9, []), 9, null),
    ]
    expect(new Set([samples, ...others].map(({ sha256 }) => sha256)).size).toBe(3)
    expect(() => new RowSamples(storeOf(5, []), 9, null)).toThrow('expected 9 examples, found 5')
    const { builder, fill } = builderOf([sampleOf(10), sampleOf(12)], { dir })
    await fill()
    builder.addWithout(1)
    const store = await builder.keep(join(dir, 'rows.samples'), counts)
    const opened = (await SampleStore.open(join(dir, 'rows.samples')))!
    for (const one of [store, opened]) {
      expect(Array.from({ length: 3 }, (_, i) => new RowSamples(one, 3, null).length(i))).toEqual([2, 0, 2])
      one.close()
    }
  })

  test('an epoch of rows without a sample has no step, and the others keep theirs', () => {
    const samples = new RowSamples(storeOf(6, [1, 2, 5]), 6, null)
    const options = { order: 'shuffled', seed: 1, dedup: false, validation: { size: 0, seed: 1 } } as const
    const { train } = mixSamples([{ name: 'a', samples, cap: 1 }], { ...options, epochs: 6 })
    const sizes = Array.from({ length: 6 }, (_, epoch) => train.size(epoch))
    expect(sizes.toSorted()).toEqual([0, 0, 0, 1, 1, 1])
    const packer = createPacker(train, { seed: 1, shuffle: true, microBatchTokens: 9, samplesPerStep: 4 })
    expect(packer.steps(6)).toBe(3)
    const steps = Array.from({ length: 3 }, () => packer.step())
    expect(steps.map(({ epoch }) => epoch)).toEqual([...sizes.keys()].filter((epoch) => sizes[epoch] === 1))
    expect(steps.map(({ microBatches }) => microBatches[0]!.ids[0]).sort()).toEqual([10, 13, 14])
    expect(() => train.order(6, 1)).toThrow('samples were made of what 6 take')
  })
})

describe('the folder', () => {
  const hour = 3_600_000
  const name = (digit: string, kind: string) => `${digit.repeat(40)}.${kind}`
  async function folderOf(files: readonly (readonly [name: string, bytes: number, hoursUnused: number])[]) {
    const place = await mkdtemp(join(dir, 'cache-'))
    for (const [file, bytes, hours] of files) {
      await writeFile(join(place, file), Buffer.alloc(bytes))
      const used = new Date(Date.now() - hours * hour)
      utimesSync(join(place, file), used, used)
    }
    return place
  }

  test('loses what was not used for long, then what was used longest ago, and never what is used or not ours', async () => {
    const place = await folderOf([
      [name('a', 'samples'), 100, 50],
      [name('b', 'samples'), 100, 20],
      [name('c', 'verdicts'), 100, 10],
      [name('d', 'samples'), 100, 5],
      [name('e', 'samples'), 1000, 0.2],
      [`${name('a', 'samples')}.0123456789ab.tmp`, 100, 30],
      ['new.samples.0123456789ab.tmp', 100, 2],
      ['notes.txt', 5000, 9000],
    ])
    expect(await cacheSize(place)).toEqual({ files: 5, bytes: 1400 })
    await pruneCache(place, { bytes: 1250, age: 40 * hour })
    expect((await readdir(place)).sort()).toEqual(
      [
        ...[name('c', 'verdicts'), name('d', 'samples'), name('e', 'samples')],
        ...['new.samples.0123456789ab.tmp', 'notes.txt'],
      ].sort(),
    )
    await pruneCache(place, { bytes: 0, age: 0 })
    expect((await readdir(place)).sort()).toEqual(
      [name('e', 'samples'), 'new.samples.0123456789ab.tmp', 'notes.txt'].sort(),
    )
    await pruneCache(join(place, 'nowhere'), { bytes: 0, age: 0 })
  })

  test('a store that is opened counts as used', async () => {
    const place = join(dir, 'used')
    await mkdir(place)
    const path = join(place, name('f', 'samples'))
    const { builder, fill } = builderOf(samples.slice(4), { dir: place })
    await fill()
    ;(await builder.keep(path, counts)).close()
    const old = new Date(Date.now() - 100 * hour)
    utimesSync(path, old, old)
    const store = (await SampleStore.open(path))!
    await expect.poll(async () => Date.now() - (await stat(path)).mtimeMs).toBeLessThan(hour)
    await pruneCache(place, { bytes: 0, age: 0 })
    expect(existsSync(path)).toBe(true)
    store.close()
    utimesSync(path, old, old)
    await pruneCache(place, { bytes: 0, age: 0 })
    expect(existsSync(path)).toBe(false)
  })
})

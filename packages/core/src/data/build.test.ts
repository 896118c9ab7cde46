import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { wordTokenizer } from '../testing/tokenizer.js'
import {
  buildSampleStore,
  hashFiles,
  locateExamples,
  readExamples,
  templateFingerprint,
  type BuildOptions,
} from './build.js'
import { encodeExample, ignoredLabel } from './encode.js'
import type { SampleStore } from './store/index.js'
import { alpaca, builtinTemplates, plain } from './template/index.js'
import type { Example } from '../contract/data.js'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ift-build-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const tokenizer = wordTokenizer()
const options: BuildOptions = {
  template: plain,
  tokenizer,
  maxLength: 64,
  trainOn: 'assistant',
  truncation: 'right',
}
const examples = Array.from({ length: 700 }, (_, i) => ({
  instruction: `q${i}`,
  input: '',
  output: 'a'.repeat(1 + (i % 90)),
}))
// eslint-disable-next-line @typescript-eslint/require-await
async function* stream(list: readonly Example[]) {
  yield* list
}
const build = (changed: Partial<BuildOptions> = {}, list: readonly Example[] = examples) =>
  buildSampleStore(locateExamples('set', stream(list)), { ...options, ...changed })
const contents = (store: SampleStore) => Array.from({ length: store.count }, (_, i) => store.sample(i))

describe('building', () => {
  test('samples in order, with counts', async () => {
    const store = await build()
    expect(store.count).toBe(700)
    for (const i of [0, 255, 256, 699])
      expect(await encodeExample(examples[i]!, plain, tokenizer, options)).toMatchObject({
        sample: store.sample(i),
      })
    const lengths = contents(store).map(({ ids }) => ids.length)
    expect(lengths).toEqual(examples.map((_, i) => store.length(i)))
    expect(store.tokens).toBe(lengths.reduce((a, b) => a + b))
    expect(store.trained(3)).toBe(store.sample(3).labels.filter((label) => label !== ignoredLabel).length)
    const long = examples.filter(({ instruction, output }) => instruction.length + output.length + 3 > 64)
    expect(store.counts).toMatchObject({ examples: 700, truncated: long.length, long: 0, filtered: 0 })
    expect((await build({ truncation: 'drop' })).counts).toMatchObject({ truncated: 0, long: long.length })
  })
  test('hooks rewrite and drop', async () => {
    const store = await build({
      onExample: (example) =>
        'instruction' in example && example.instruction === 'q1'
          ? null
          : { instruction: 'x', input: '', output: 'y' },
      onSample: (() => {
        let n = 0
        return (sample) => (n++ % 2 === 0 ? sample : null)
      })(),
    })
    expect(store.count).toBe(350)
    expect(store.counts.filtered).toBe(350)
  })
  test('an error names the example', async () => {
    const list: Example[] = [...examples.slice(0, 300), { ids: [99999] }, ...examples]
    await expect(build({}, list)).rejects.toThrow(/^set#301: ids\[0\]: expected an id below/)
  })
  test('an error of the source ends it', async () => {
    const path = join(dir, 'broken.jsonl')
    await writeFile(path, '{"instruction":"a","output":"b"}\n{"instruction":"a"\n')
    await expect(buildSampleStore(readExamples(path), options)).rejects.toThrow(
      /broken\.jsonl:2: not valid JSON/,
    )
  })
  test('limit, and what is wrong is skipped when somebody listens', async () => {
    const path = join(dir, 'some.jsonl')
    await writeFile(
      path,
      '{"instruction":"a","output":"b"}\n{"instruction":"a"}\n{"instruction":"c","output":"d"}\n{"instruction":"e","output":"f"}\n',
    )
    const problems: string[] = []
    const found = []
    for await (const { where } of readExamples(path, {
      limit: 2,
      onProblem: ({ message }) => problems.push(message),
    }))
      found.push(where)
    expect(found).toEqual([`${path}:1`, `${path}:3`])
    expect(problems).toHaveLength(1)
  })
})

describe('cache', () => {
  test('a store read again is the same, and nothing is tokenised for it', async () => {
    const cache = { dir: join(dir, 'cache'), key: 'data-1' }
    const made = await build({ cache })
    const refuse = { ...tokenizer, encodeBatch: () => Promise.reject(new Error('tokenised')) }
    const read = await build({ cache, tokenizer: refuse })
    expect(contents(read)).toEqual(contents(made))
    expect(read.counts).toEqual(made.counts)
    expect(await readdir(cache.dir)).toHaveLength(1)
    for (const changed of [
      { maxLength: 63 },
      { template: alpaca },
      { trainOn: 'all' as const },
      { cache: { ...cache, key: 'data-2' } },
    ])
      await expect(build({ cache, ...changed, tokenizer: refuse })).rejects.toThrow('tokenised')
  })
  test('of two that ask at once for the same, one tokenises', async () => {
    const cache = { dir: join(dir, 'at-once'), key: 'k' }
    let calls = 0
    const counted = {
      ...tokenizer,
      encodeBatch: (texts: readonly string[]) => {
        calls++
        return tokenizer.encodeBatch(texts)
      },
    }
    const [one, two] = await Promise.all([1, 2].map(() => build({ cache, tokenizer: counted })))
    expect(contents(one!)).toEqual(contents(two!))
    const both = calls
    await build({ tokenizer: counted })
    expect(calls - both).toBe(both)
    expect(await readdir(cache.dir)).toHaveLength(1)
  })
  test('a key that is known only when the examples were read, and the records that gave none', async () => {
    const dropped = new Map<string, number>()
    async function* reading() {
      yield* locateExamples('set', stream(examples))
      dropped.set('no answer', 3)
    }
    const place = join(dir, 'later')
    const made = await buildSampleStore(reading(), {
      ...options,
      dropped,
      cache: { dir: place, key: () => Promise.resolve('k') },
    })
    expect(made.dropped).toEqual({ 'no answer': 3 })
    const refuse = { ...tokenizer, encodeBatch: () => Promise.reject(new Error('tokenised')) }
    const read = await build({ cache: { dir: place, key: 'k' }, tokenizer: refuse })
    expect(contents(read)).toEqual(contents(made))
    expect(read.dropped).toEqual({ 'no answer': 3 })
    const unknown = join(dir, 'unknown')
    await build({ cache: { dir: unknown, key: () => Promise.resolve(null) } })
    expect((await readdir(unknown).catch(() => [])).filter((name) => name.endsWith('.samples'))).toEqual([])
  })
  test('two builds write the same bytes', async () => {
    const files = await Promise.all(
      ['one', 'two'].map(async (name) => {
        const cache = { dir: join(dir, name), key: 'k' }
        await build({ cache })
        const [file] = await readdir(cache.dir)
        return readFile(join(cache.dir, file!))
      }),
    )
    expect(files[0]!.equals(files[1]!)).toBe(true)
  })
  test('a broken cache is made again', async () => {
    const cache = { dir: join(dir, 'broken'), key: 'k' }
    const made = contents(await build({ cache }, examples.slice(0, 40)))
    const path = join(cache.dir, (await readdir(cache.dir))[0]!)
    const good = await readFile(path)
    for (let at = 0; at < good.length; at += Math.ceil(good.length / 20)) {
      const bad = Buffer.from(good)
      bad[at]! ^= 0x41
      await writeFile(path, bad)
      expect(contents(await build({ cache }, examples.slice(0, 40)))).toEqual(made)
      expect((await readFile(path)).equals(good)).toBe(true)
    }
    for (const length of [0, 5, 100, good.length - 1]) {
      await truncate(path, length)
      expect(contents(await build({ cache }, examples.slice(0, 40)))).toEqual(made)
    }
  })
  test('a folder that cannot be written is an error that says so', async () => {
    await writeFile(join(dir, 'file'), '')
    await expect(build({ cache: { dir: join(dir, 'file/below'), key: 'k' } })).rejects.toMatchObject({
      code: 'IFT_CACHE_WRITE',
    })
  })
  test('hashes tell files and templates apart', async () => {
    const [a, b] = [join(dir, 'a.txt'), join(dir, 'b.txt')]
    await writeFile(a, 'a')
    await writeFile(b, 'b')
    expect(
      new Set(await Promise.all([hashFiles([a]), hashFiles([b]), hashFiles([a, b]), hashFiles([b, a])])).size,
    ).toBe(4)
    expect(new Set(builtinTemplates.map(templateFingerprint)).size).toBe(builtinTemplates.length)
  })
})

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { wordTokenizer } from '../testing/tokenizer.js'
import { buildSampleStore, locateExamples, readExamples } from './build.js'
import { convertData, convertExample, type ConvertTarget } from './convert.js'
import { encodeExample } from './encode.js'
import { recordConverter } from './format/index.js'
import { inspectSample } from './inspect.js'
import { countScripts, DataStats, distribution, tokenStats } from './stats.js'
import { plain } from './template/index.js'
import type { Example } from '../contract/data.js'
import { validateData } from './validate.js'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ift-data-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))
// eslint-disable-next-line @typescript-eslint/require-await
async function* stream(list: readonly Example[]) {
  yield* list
}

const rounds: Example = { instruction: 'q2', input: '', output: 'a2', system: 's', history: [['q1', 'a1']] }

describe('convert', () => {
  test.each<ConvertTarget>(['alpaca', 'messages', 'sharegpt'])(
    'to %s and back is the same conversation',
    (target) => {
      const back = recordConverter()({ record: convertExample(rounds, target), where: 'x:1' })
      expect(convertExample(back, 'alpaca')).toEqual(rounds)
      expect(convertExample(back, 'messages')).toEqual(convertExample(rounds, 'messages'))
    },
  )
  test('calls and tools survive in forms that have them', () => {
    const example: Example = {
      messages: [
        { role: 'user', content: 'q' },
        { role: 'assistant', content: '', toolCalls: [{ name: 'f' }] },
        { role: 'tool', content: 'r' },
        { role: 'assistant', content: 'a' },
      ],
      tools: [{ name: 'f' }],
    }
    expect(recordConverter()({ record: convertExample(example, 'messages'), where: 'x:1' })).toEqual(example)
    expect(convertExample(example, 'sharegpt')).toEqual({
      conversations: [
        { from: 'human', value: 'q' },
        { from: 'function_call', value: '[{"name":"f"}]' },
        { from: 'observation', value: 'r' },
        { from: 'gpt', value: 'a' },
      ],
      tools: [{ name: 'f' }],
    })
    expect(() => convertExample({ text: 't' }, 'alpaca')).toThrow(/document cannot become/)
  })
  test.each(['out.jsonl', 'out.json'])('%s can be read again', async (name) => {
    const examples = Array.from({ length: 50 }, (_, i): Example => ({
      instruction: `q${i}`,
      input: '',
      output: 'ä\n'.repeat(i) + 'x',
    }))
    expect(await convertData(locateExamples('set', stream(examples)), 'alpaca', join(dir, name))).toBe(50)
    const found = []
    for await (const { example } of readExamples(join(dir, name))) found.push(example)
    expect(found).toEqual(examples)
  })
  test('a broken source leaves the old file and no other', async () => {
    const path = join(dir, 'kept', 'x.jsonl')
    await rm(join(dir, 'kept'), { recursive: true, force: true })
    await expect(convertData(locateExamples('set', stream([rounds])), 'alpaca', path)).rejects.toMatchObject({
      code: 'IFT_FILE_WRITE',
    })
    const old = join(dir, 'old.jsonl')
    await writeFile(old, 'old')
    await expect(
      convertData(locateExamples('set', stream([rounds, { text: 't' }])), 'alpaca', old),
    ).rejects.toThrow(/^set#2: /)
    expect(await readFile(old, 'utf8')).toBe('old')
    expect((await readdir(dir)).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })
})

describe('validate', () => {
  test('lists every problem with its line', async () => {
    const path = join(dir, 'v.jsonl')
    await writeFile(
      path,
      [
        '{"instruction":"a","output":"b"}',
        '{"instruction":"a"}',
        '{broken',
        '',
        '{"instruction":"a","output":" "}',
        '[]',
        '{"instruction":1,"output":{}}',
      ].join('\n'),
    )
    const report = await validateData(path)
    expect(report).toMatchObject({ examples: 2, errors: 4, warnings: 1 })
    expect(report.problems.map(({ where, severity }) => [where.slice(dir.length + 1), severity])).toEqual([
      ['v.jsonl:2', 'error'],
      ['v.jsonl:3', 'error'],
      ['v.jsonl:5', 'warning'],
      ['v.jsonl:6', 'error'],
      ['v.jsonl:7', 'error'],
    ])
    expect(report.problems[0]!.message).toBe('field "output": expected a text, found nothing.')
    const few = await validateData(path, { maxProblems: 2 })
    expect(few.problems).toHaveLength(2)
    expect(few.errors).toBe(4)
  })
  test('a file that breaks off, a file in another encoding', async () => {
    const cut = join(dir, 'cut.json')
    await writeFile(cut, '[{"instruction":"a","output":"b"},\n{"instr')
    expect(await validateData(cut)).toMatchObject({
      examples: 1,
      errors: 1,
      problems: [{ where: `${cut}:2` }],
    })
    const gbk = join(dir, 'gbk.jsonl')
    await writeFile(gbk, Buffer.from([0x7b, 0x22, 0xc4, 0xe3, 0x22, 0x7d]))
    expect(await validateData(gbk)).toMatchObject({ errors: 1, problems: [{ code: 'IFT_DATA_ENCODING' }] })
    await expect(validateData(join(dir, 'none.json'))).rejects.toMatchObject({ code: 'IFT_SOURCE_NOT_FOUND' })
  })
})

describe('stats', () => {
  test('percentiles are nearest ranks; the histogram counts everything once', () => {
    const found = distribution(Array.from({ length: 100 }, (_, i) => 100 - i))
    expect(found).toMatchObject({
      count: 100,
      sum: 5050,
      mean: 50.5,
      min: 1,
      max: 100,
      p5: 5,
      p50: 50,
      p99: 99,
    })
    expect(found.histogram).toEqual([
      { from: 0, to: 16, count: 15 },
      { from: 16, to: 32, count: 16 },
      { from: 32, to: 64, count: 32 },
      { from: 64, to: 128, count: 37 },
    ])
    expect(distribution([])).toMatchObject({ count: 0, mean: 0, max: 0, histogram: [] })
  })
  test('scripts, duplicates, rounds', () => {
    expect(Object.fromEntries(countScripts('Hello 你好 привет ありがとう 123'))).toEqual({
      Latin: 5,
      Han: 2,
      Cyrillic: 6,
      Kana: 5,
    })
    const stats = new DataStats()
    for (const example of [rounds, rounds, { instruction: '你好吗', input: '', output: '好' }])
      stats.add(example)
    expect(stats.report()).toMatchObject({
      examples: 3,
      duplicates: 1,
      scripts: { Latin: 2, Han: 1 },
      withSystem: 2,
      rounds: { max: 2, min: 1 },
      answerCharacters: { sum: 9 },
      promptCharacters: { sum: 13 },
    })
  })
  test('tokens of a store', async () => {
    const tokenizer = wordTokenizer()
    const store = await buildSampleStore(
      locateExamples('set', stream([{ instruction: 'ab', input: '', output: 'cd' }])),
      {
        template: plain,
        tokenizer,
        maxLength: 9,
        trainOn: 'assistant',
        truncation: 'right',
      },
    )
    expect(tokenStats(store)).toMatchObject({
      samples: 1,
      tokens: { sum: 7 },
      trainedTokens: { sum: 3 },
      trainedShare: 3 / 7,
    })
  })
})

test('inspect: characters of several tokens appear with their last one', async () => {
  const tokenizer = wordTokenizer()
  const encoded = await encodeExample({ instruction: 'é', input: '', output: '汉' }, plain, tokenizer, {
    maxLength: 99,
    trainOn: 'assistant',
    truncation: 'drop',
  })
  if (!('sample' in encoded)) throw new Error('dropped')
  const tokens = await inspectSample(encoded.sample, tokenizer)
  expect(tokens.map(({ text, trained, special }) => [text, trained, special])).toEqual([
    ['<s>', false, true],
    ['', false, false],
    ['é', false, false],
    ['\n', false, false],
    ['', true, false],
    ['', true, false],
    ['汉', true, false],
    ['</s>', true, true],
  ])
})

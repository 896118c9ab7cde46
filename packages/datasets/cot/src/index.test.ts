import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { IftError, type InstructionExample } from '@ift/core'
import { datasetConformance, datasetsOf } from '@ift/core/testing'
import { cot, cotTasks, format, plugin, readRows, templates, unquote } from './index.js'

const shared =
  process.env['IFT_SHARED'] ?? resolve(fileURLToPath(new URL('../../../../../shared', import.meta.url)))
const samples = join(shared, 'samples/cot')
const absent = !existsSync(samples)
if (absent) process.stderr.write(`skipped: ${samples} is absent\n`)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ift-cot-'))
  const row = (i: number) =>
    `Is ${i} even?\\nOptions:\\n- yes\\n- no\t${i % 2 ? 'no' : 'yes'}\t${i} divided by two {answer}`
  await writeFile(join(folder, 'creak_train.tsv'), Array.from({ length: 60 }, (_, i) => row(i)).join('\n'))
  await writeFile(join(folder, 'gsm8k_train.tsv'), `"What is ""1"" + 1?"\t2\tOne and one.\n`)
})
afterAll(() => rm(folder, { recursive: true, force: true }))
const load = async (seed: number, from = folder) => {
  const examples: InstructionExample[] = []
  const context = {
    rootDir: from,
    seed,
    file: (name: string) =>
      existsSync(join(from, name)) ? Promise.resolve(join(from, name)) : Promise.reject(new NotFound(name)),
  }
  for await (const example of cot.load(context)) examples.push(example as InstructionExample)
  return examples
}
class NotFound extends IftError {
  constructor(name: string) {
    super('IFT_SOURCE_NOT_FOUND', name)
  }
}

test('the plugin registers the dataset', () => {
  expect(datasetsOf(plugin)).toEqual([cot])
})

test('line breaks are decoded, quotes read, braces of a row left alone', async () => {
  const examples = await load(1)
  expect(examples).toHaveLength(61)
  for (const { instruction, output, input } of examples.slice(0, 60)) {
    expect(instruction).toMatch(/Is \d+ even\?\nOptions:\n- yes\n- no/)
    expect(output).toMatch(/^\d+ divided by two \{answer\}[ \n].*(yes|no)\.$/s)
    expect(input).toBe('')
  }
  expect(examples[60]!.instruction).toContain('What is "1" + 1?')
})

test('the seed chooses the templates', async () => {
  const cues = async (seed: number) => (await load(seed)).map(({ instruction }) => instruction)
  expect(await cues(1)).toEqual(await cues(1))
  expect(await cues(1)).not.toEqual(await cues(2))
  expect(new Set((await cues(3)).slice(0, 60).map((text) => text.replace(/\d+/, ''))).size).toBeGreaterThan(7)
})

test('nine tasks, every pair with its marks once', () => {
  expect(cotTasks).toHaveLength(9)
  for (const pairs of Object.values(templates)) {
    expect(new Set(pairs.map((pair) => JSON.stringify(pair))).size).toBe(pairs.length)
    for (const { instruction, output } of pairs) {
      expect(instruction.split('{question}')).toHaveLength(2)
      expect(output).toMatch(/^\{rationale\}[ \n][A-Z][^{}]*\{answer\}\.$/)
    }
  }
})

test("fields in quotes are read as Python's csv module reads them", () => {
  expect(['"a ""b"" c"', '"a" b "c"', 'a "b"', '"open', '""'].map(unquote)).toEqual([
    'a "b" c',
    'a b "c"',
    'a "b"',
    'open',
    '',
  ])
})

test('no file at all', async () => {
  await expect(load(1, join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'IFT_SOURCE_NOT_FOUND' })
})

describe('conformance', () => {
  for (const [i, { name }] of datasetConformance(cot, { folder: '.' }).entries())
    test(name, () => datasetConformance(cot, { folder })[i]!.run())
})

describe("the original platform's own output", () => {
  const tasks = ['aqua', 'creak', 'ecqa', 'qasc', 'sensemaking', 'strategyqa'] as const
  test.skipIf(absent).each(tasks)('%s: every row is one of the templates of its task', async (task) => {
    const golden = JSON.parse(
      await readFile(join(samples, `${task}_train.formatted.json`), 'utf8'),
    ) as InstructionExample[]
    const used = new Set<number>()
    let i = 0
    for await (const row of readRows(join(samples, `${task}_train.tsv`))) {
      const match = templates[task].findIndex((pair) => {
        const made = format(row, pair)
        return made.instruction === golden[i]!.instruction && made.output === golden[i]!.output
      })
      expect(match, JSON.stringify(golden[i])).not.toBe(-1)
      used.add(match)
      i++
    }
    expect(i).toBe(golden.length)
    // No pair stands here that no row has.
    expect(used.size).toBe(templates[task].length)
  })
  test.skipIf(absent)('real rows pass the kit', async () => {
    for (const { run } of datasetConformance(cot, { folder: samples })) await run()
    expect(await load(1, samples)).toHaveLength(350)
  })
})

import { expect, test } from 'vitest'
import type { Example } from '../../contract/data.js'
import type { LocatedExample } from '../build.js'
import { DataRandom } from '../random.js'
import { Evaluation } from './evaluation.js'
import type { Finding } from './examination.js'
import { examine } from './examine.js'
import type { ExaminerOptions } from './examiner.js'
import { nearDefaults, overlapDefaults } from './options.js'

const row = (instruction: string, output: string, more: Partial<Example> = {}): Example => ({
  instruction,
  input: '',
  output,
  ...more,
})

async function* located(name: string, examples: readonly Example[]): AsyncGenerator<LocatedExample> {
  for (const [i, example] of examples.entries())
    yield await Promise.resolve({ example, where: `${name}.jsonl:${i + 1}` })
}

async function found(
  sets: Readonly<Record<string, readonly Example[]>>,
  options: Partial<ExaminerOptions> = {},
) {
  const findings: Finding[] = []
  const result = await examine(
    Object.entries(sets).map(([name, examples]) => ({ name, examples: () => located(name, examples) })),
    {
      repeats: { by: 'example', near: nearDefaults },
      questions: true,
      onFinding: (finding) => findings.push(finding),
      ...options,
    },
  )
  return { ...result, findings, verdicts: result.verdicts.map((list) => [...list]) }
}

const long =
  'the quick brown fox jumps over a lazy dog while seven small birds sing about the coming rain in early spring near our old stone bridge'
const near = long.replace('bridge', 'wall')

test('the first of equal examples stays, and a matrix says in which sets the others are', async () => {
  const { report, verdicts, findings } = await found({
    a: [row('One?', 'yes'), row('one', 'Yes!'), row('One', 'no')],
    b: [row('Two', 'no'), row('"One?"', 'yes')],
  })
  expect(verdicts).toEqual([
    [0, 1, 0],
    [0, 1],
  ])
  expect(report.exact).toEqual([
    [1, 1],
    [0, 0],
  ])
  expect(report.questions).toEqual([
    [1, 0],
    [0, 0],
  ])
  expect(findings).toEqual([
    { kind: 'exact', where: 'a.jsonl:2', set: 'a', of: 'a.jsonl:1', ofSet: 'a', similarity: 1 },
    { kind: 'question', where: 'a.jsonl:3', set: 'a', of: 'a.jsonl:1', ofSet: 'a' },
    { kind: 'exact', where: 'b.jsonl:2', set: 'b', of: 'a.jsonl:1', ofSet: 'a', similarity: 1 },
  ])
  expect(report.clusters).toEqual({
    count: 1,
    largest: [{ where: 'a.jsonl:1', repeats: 2, example: { where: 'a.jsonl:2', text: 'one Yes!' } }],
  })
})

test('near examples are like one that stays, and their equals belong to it as well', async () => {
  const { report, verdicts, findings } = await found({ a: [row(long, ''), row(near, ''), row(near, '')] })
  expect(verdicts).toEqual([[0, 2, 2]])
  expect([report.near, report.exact]).toEqual([[[2]], [[0]]])
  expect(findings.map(({ of }) => of)).toEqual(['a.jsonl:1', 'a.jsonl:1'])
  for (const { kind, similarity } of findings) {
    expect(kind).toBe('near')
    expect(similarity).toBeCloseTo(21 / 23, 10)
  }
  expect(report.clusters.largest[0]).toMatchObject({ repeats: 2 })
})

test('by question, answers do not count; what comes before the question does', async () => {
  const chat = (system: string, first: string, answer: string): Example => ({
    messages: [
      { role: 'system', content: system },
      { role: 'user', content: first },
      { role: 'assistant', content: answer },
      { role: 'user', content: 'Go on' },
      { role: 'assistant', content: answer },
    ],
  })
  const options = { repeats: { by: 'question', near: null } } as const
  expect(
    (await found({ a: [row('Q', '1'), row('q?', '2'), row('q', '3', { history: [['a', 'b']] })] }, options))
      .verdicts,
  ).toEqual([[0, 1, 0]])
  const chats = [chat('s', 'Q', '1'), chat('s', 'R', '1'), chat('t', 'Q', '1'), chat('s', 'q', '1')]
  expect((await found({ a: chats }, options)).verdicts).toEqual([[0, 0, 0, 1]])
})

test('rows of one long frame take no time that grows with the square of their number, and are counted', async () => {
  const frame = Array.from({ length: 90 }, (_, i) => `frame${i}`).join(' ')
  const random = new DataRandom('frame')
  const rows = Array.from({ length: 2000 }, () =>
    row(`${frame} ${Array.from({ length: 16 }, () => `w${random.below(1e6)}`).join(' ')}`, ''),
  )
  const { report, verdicts } = await found({ a: rows })
  expect(verdicts[0]!.some((one) => one !== 0)).toBe(false)
  expect(report.crowded).toBeGreaterThan(1000)
})

test('what has no text is not compared, and counted', async () => {
  const { report, verdicts } = await found({
    a: [
      row('', ''),
      row(' ', '\n'),
      { ids: [1, 2] },
      { ids: [1, 2] },
      { text: 'A page.' },
      { text: 'a page' },
    ],
    none: [],
  })
  expect(verdicts).toEqual([[0, 0, 0, 0, 0, 1], []])
  expect(report.sets).toEqual([
    { name: 'a', examples: 6, withoutText: 4 },
    { name: 'none', examples: 0, withoutText: 0 },
  ])
})

test('contaminated examples name both sides, and are not what others repeat', async () => {
  const evaluation = await Evaluation.read(
    'test',
    located('test', [row('x', ''), row(long, '')]),
    overlapDefaults,
  )
  const sets = { a: [row(`Solve this: ${long}`, '1'), row('x!', '2')], b: [row(`Solve this: ${long}`, '1')] }
  const dropped = await found(sets, { evaluations: [evaluation] })
  expect(dropped.verdicts).toEqual([[3, 3], [3]])
  expect(dropped.report.contamination).toMatchObject({
    evaluations: [{ name: 'test', questions: 2 }],
    counts: [[2, 1]],
    found: [
      { where: 'a.jsonl:1', of: 'test.jsonl:2', set: 'a', ofSet: 'test', text: long },
      { where: 'a.jsonl:2', of: 'test.jsonl:1', text: 'x' },
      { where: 'b.jsonl:1', of: 'test.jsonl:2' },
    ],
  })
  const warned = await found(sets, { evaluations: [evaluation], action: 'warn' })
  expect(warned.verdicts).toEqual([[0, 0], [1]])
  await expect(found(sets, { evaluations: [evaluation], action: 'error' })).rejects.toMatchObject({
    code: 'IFT_DATA_CONTAMINATED',
    message: expect.stringContaining('a.jsonl:1: the record shares a text with test, test.jsonl:2') as string,
  })
})

test('an evaluation without a question is refused', async () => {
  const empty = Evaluation.read('none', located('none', [{ ids: [1] }, row('', 'a')]), overlapDefaults)
  await expect(empty).rejects.toMatchObject({
    code: 'IFT_DATA_EMPTY',
    message: expect.stringContaining('none has no question to compare with: 2 records') as string,
  })
})

test('for any data: the first stays, repeats are of what stays, and another pass over what stays finds nothing', async () => {
  const random = new DataRandom('examples')
  const vocabulary = Array.from({ length: 40 }, (_, i) => `w${i}`)
  const text = (length: number) => Array.from({ length }, () => vocabulary[random.below(40)]!)
  for (let turn = 0; turn < 8; turn++) {
    const seeds = Array.from({ length: 12 }, () => text(3 + random.below(40)))
    const examples = Array.from({ length: 80 }, () => {
      const words = [...seeds[random.below(seeds.length)]!]
      for (let k = random.below(3); k > 0; k--)
        words[random.below(words.length)] = vocabulary[random.below(40)]!
      return row(words.join(random.below(2) === 0 ? ' ' : ', '), 'ok')
    })
    const { verdicts, findings } = await found({ a: examples }, { questions: false })
    expect(verdicts[0]![0]).toBe(0)
    const kept = new Set(examples.flatMap((_, i) => (verdicts[0]![i] === 0 ? [`a.jsonl:${i + 1}`] : [])))
    expect(findings).toHaveLength(examples.length - kept.size)
    for (const { where, of } of findings) {
      expect(kept.has(of)).toBe(true)
      expect(Number(of.split(':')[1])).toBeLessThan(Number(where.split(':')[1]))
    }
    const again = await found({ a: examples.filter((_, i) => verdicts[0]![i] === 0) }, { questions: false })
    expect(again.findings).toEqual([])
  }
})

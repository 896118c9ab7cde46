import { describe, expect, test } from 'vitest'
import { parseExactJson } from '../exact-json.js'
import { DataRandom } from '../random.js'
import {
  alternating,
  before,
  choices,
  columns,
  decodeBreaks,
  firstOf,
  messages,
  numbered,
  oneOf,
  preferred,
  speakers,
  steps,
  template,
  through,
  transcript,
  valueOf,
  without,
  withoutReferences,
  type Read,
  type RecordContext,
} from './index.js'

const context = (seed = 1): RecordContext => ({
  file: 'f.json',
  random: (purpose) => new DataRandom('test', seed, purpose),
})
const made = (read: Read, record: unknown, seed?: number) => read(record, context(seed))
const texts = (result: unknown) =>
  (result as { messages: { role: string; content: string }[] }).messages.map(({ role, content }) => [
    role,
    content,
  ])

describe('columns', () => {
  const read = columns(
    { instruction: ['instruction', 'q.text'], input: 'input', output: ['response', 'output'] },
    { blanks: true, meta: ['kind', 'year', 'absent'] },
  )
  test('fields by their names, dotted names and other names', () => {
    expect(made(read, { q: { text: 'a\r\nb' }, output: 'c', input: 'i', kind: 'k', year: 2015 })).toEqual({
      instruction: 'a\nb',
      input: 'i',
      output: 'c',
      meta: { kind: 'k', year: '2015' },
    })
    expect(
      made(columns({ instruction: 'topic;', output: 'a.b' }), { 'topic;': 'q', 'a.b': 'x' }),
    ).toMatchObject({
      instruction: 'q',
      output: 'x',
    })
  })
  test('numbers have the digits of the file, lists are joined', () => {
    const record = parseExactJson('{"instruction": 9007199254740993, "output": [1.0, true, "x"]}')
    expect(made(read, record)).toMatchObject({ instruction: '9007199254740993', output: '1.0, true, x' })
  })
  test('facts under names of their own', () => {
    const topics = columns({ instruction: 'q', output: 'a' }, { meta: { topic: ['topic', 'topic;'] } })
    expect(made(topics, { q: 'q', a: 'a', 'topic;': 't' })).toMatchObject({ meta: { topic: 't' } })
  })
  test.each(['No input', '<noinput>', '<no input>', 'n/a', 'same'])('the input %j is none', (input) => {
    expect(made(read, { instruction: 'same', input, output: 'x' })).toMatchObject({ input: '' })
  })
  test.each<[unknown, string]>([
    [{ instruction: ' ', output: 'x' }, 'no question'],
    [{ instruction: 'q', output: null }, 'no answer'],
    [{ instruction: 'q', output: NaN }, 'no answer'],
    [{ instruction: {}, output: 'x' }, 'the instruction is no text'],
    [{ instruction: 'q', output: [[1]] }, 'the answer is no text'],
    [[], 'no record'],
    [{ __proto__: { instruction: 'q', output: 'x' } }, 'no question'],
  ])('%j: %s', (record, dropped) => {
    expect(made(read, record)).toEqual({ dropped })
  })
})

test('oneOf: a seeded answer, the first, or all', () => {
  const record = { q: 'q', list: ['', 'a', null, 'b', 'c', {}] }
  const answers = (policy: 'one' | 'first' | 'all', seed?: number) =>
    [made(columns({ instruction: 'q', output: oneOf('list', policy) }), record, seed)].flat()
  expect(answers('first')).toMatchObject([{ output: 'a' }])
  expect(answers('all')).toMatchObject([{ output: 'a' }, { output: 'b' }, { output: 'c' }])
  const seen = new Set(Array.from({ length: 30 }, (_, seed) => JSON.stringify(answers('one', seed))))
  expect(seen.size).toBe(3)
  expect(made(columns({ instruction: 'q', output: oneOf('list') }), { q: 'q', list: [] })).toEqual({
    dropped: 'no answer',
  })
})

describe('conversations', () => {
  const read = messages('conversations', { ...speakers, bing: null })
  const turn = (from: string, value: unknown) => ({ from, value })
  test('roles by their names, rounds, system', () => {
    const conversations = [turn('System', 's'), turn('human', 'a'), turn('GPT', 'b')]
    expect(texts(made(read, { conversations }))).toEqual([
      ['system', 's'],
      ['user', 'a'],
      ['assistant', 'b'],
    ])
    const rounds = {
      c: [
        { human: 'a', assistant: 'b' },
        { human: 'c', assistant: 'd' },
      ],
      s: 'first',
    }
    expect(texts(made(messages('c', speakers, { system: 's' }), rounds)).map(([role]) => role)).toEqual([
      'system',
      'user',
      'assistant',
      'user',
      'assistant',
    ])
  })
  const odd = [
    turn('gpt', '0'),
    turn('human', 'a'),
    turn('human', 'b'),
    turn('gpt', ''),
    turn('gpt', 'c'),
    turn('human', 'd'),
  ]
  test('repair joins neighbours and cuts both ends', () => {
    expect(
      texts(made(messages('conversations', speakers, { repair: true }), { conversations: odd })),
    ).toEqual([
      ['user', 'a\n\nb'],
      ['assistant', 'c'],
    ])
  })
  test.each<[unknown, string]>([
    [odd, 'an empty turn'],
    [odd.slice(0, 2), 'the conversation does not begin with a question'],
    [[turn('human', 'a'), turn('human', 'b')], 'the roles do not alternate'],
    [[turn('human', 'a')], 'no answer at the end'],
    [[turn('human', 'a'), turn('bing', 'b')], 'a speaker who is not taken'],
    [[turn('alien', 'a')], 'the role of a turn is not known'],
    [[turn('constructor', 'a')], 'the role of a turn is not known'],
    [[turn('human', {})], 'a turn is no text'],
    [['a'], 'a turn is no object'],
    [[turn('human', 'a'), turn('system', 's'), turn('gpt', 'b')], 'a system message inside the conversation'],
    [[], 'no turn'],
    ['a', 'no list of turns'],
  ])('%j: %s', (conversations, dropped) => {
    expect(made(read, { conversations })).toEqual({ dropped })
  })

  test('alternating: a last question goes', () => {
    expect(texts(made(alternating('data'), { data: ['a', 'b', 'c'] }))).toEqual([
      ['user', 'a'],
      ['assistant', 'b'],
    ])
    expect(made(alternating('data'), { data: ['a'] })).toEqual({ dropped: 'no turn' })
  })

  const steps12 = Object.fromEntries(
    Array.from({ length: 12 }, (_, i) => [
      `turn_${12 - i}`,
      { Human: `q${12 - i}`, MOSS: `<|MOSS|>: a${12 - i}<eom>\n`, C: '' },
    ]),
  )
  test('steps in the order of their numbers', () => {
    const says = [
      ['user', 'Human'],
      ['assistant', 'C'],
      ['assistant', through('MOSS', without('<|MOSS|>:', '<eom>'))],
    ] as const
    const found = texts(
      made(steps('turn_', { inside: 'chat', says, system: 's' }), { chat: steps12, s: 'S' }),
    )
    expect(found.map(([, content]) => content)).toEqual([
      'S',
      ...Array.from({ length: 12 }, (_, i) => [`q${i + 1}`, `a${i + 1}`]).flat(),
    ])
    expect(texts(made(steps('message_'), { message_2: 'b', message_1: 'a', message_x: 'c' }))).toEqual([
      ['user', 'a'],
      ['assistant', 'b'],
    ])
    expect(made(steps('message_'), {})).toEqual({ dropped: 'no turn' })
  })
})

test('values under numbered keys as turns, with their texts changed', () => {
  const read = messages(numbered('round_', 'chat'), speakers, {
    text: (text, role) => (role === 'assistant' ? text.toUpperCase() : text),
  })
  const round = (n: number) => ({ human: `q${n}`, assistant: `a${n}` })
  const chat = { round_10: round(10), round_2: round(2), round_x: round(3) }
  expect(texts(made(read, { chat })).map(([, content]) => content)).toEqual(['q2', 'A2', 'q10', 'A10'])
  expect(made(read, { chat: [] })).toEqual({ dropped: 'no list of turns' })
})

describe('transcript', () => {
  test('baize: a head, an open mark at the end', () => {
    const read = (head?: 'system' | 'drop') =>
      transcript('input', { user: '[|Human|]', assistant: '[|AI|]', ...(head && { head }) })
    const input = 'The conversation.\n[|Human|] a [|AI|] b\n[|AI|] c\nd\n[|Human|] '
    expect(texts(made(read('system'), { input }))).toEqual([
      ['system', 'The conversation.'],
      ['user', 'a [|AI|] b'],
      ['assistant', 'c\nd'],
    ])
    expect(made(read(), { input })).toEqual({ dropped: 'text before the first mark of a speaker' })
    expect(made(read('drop'), { input: '[|Human|] a\n[|AI|] b\n[|AI|] c' })).toEqual({
      dropped: 'the roles do not alternate',
    })
    expect(made(read(), { input: 'a' })).toEqual({ dropped: 'no mark of a speaker' })
  })
  test('marks anywhere, marks at the end of turns', () => {
    const read = transcript('t', {
      user: '[Human]:',
      assistant: '[MOSS]:',
      anchored: false,
      end: ['<eoh>', '<eoa>'],
    })
    expect(texts(made(read, { t: '[Human]: Hi<eoh> [MOSS]: <eoa> is a mark.<eoa>' }))).toEqual([
      ['user', 'Hi'],
      ['assistant', '<eoa> is a mark.'],
    ])
  })
  test('marks behind an empty line only', () => {
    const read = transcript('t', { user: 'Human:', assistant: 'Assistant:', anchored: 'paragraph' })
    expect(texts(made(read, { t: '\n\nHuman: a\n\nAssistant: He said:\nHuman: b' }))).toEqual([
      ['user', 'a'],
      ['assistant', 'He said:\nHuman: b'],
    ])
  })
  test('the answer in a field of its own', () => {
    const read = transcript('instruction', {
      user: ['Human:', 'Human：'],
      assistant: 'Assistant:',
      answer: 'output',
    })
    expect(texts(made(read, { instruction: 'Human：a\nAssistant:', output: 'b' }))).toEqual([
      ['user', 'a'],
      ['assistant', 'b'],
    ])
    expect(made(read, { instruction: 'Human:a\nAssistant: b', output: 'c' })).toEqual({
      dropped: 'no open mark for the answer',
    })
  })
})

describe('preferred', () => {
  const hh = (field: string) => transcript(field, { user: 'Human:', assistant: 'Assistant:' })
  const read = preferred({ read: hh('chosen') }, { read: hh('rejected') })
  const dialog = (answer: string, question = 'a') => `\n\nHuman: ${question}\n\nAssistant: ${answer}`
  test('the worse answer is kept where the question is the same', () => {
    expect(made(read, { chosen: dialog('b'), rejected: dialog('c') })).toMatchObject({ rejected: 'c' })
    for (const rejected of [dialog('b'), dialog('c', 'x'), dialog(''), 'x'])
      expect(made(read, { chosen: dialog('b'), rejected })).not.toHaveProperty('rejected')
    expect(made(read, { chosen: dialog(''), rejected: dialog('c') })).toEqual({
      dropped: 'an empty turn',
    })
  })
  test('scores decide', () => {
    const scored = preferred(
      ...[0, 1].map((i) => ({
        read: columns({ instruction: 'q', output: `answer_${i}` }),
        score: `score_${i}`,
      })),
    )
    const record = { q: 'q', answer_0: 'a', answer_1: 'b' }
    expect(made(scored, { ...record, score_0: -0.5, score_1: 0.5 })).toMatchObject({
      output: 'b',
      rejected: 'a',
    })
    expect(made(scored, { ...record, score_0: 0, score_1: 0 })).toEqual({
      instruction: 'q',
      input: '',
      output: 'a',
    })
    expect(made(scored, record)).toEqual({ dropped: 'no answer with a score' })
    expect(made(scored, { ...record, q: '', score_0: 1, score_1: 2 })).toEqual({ dropped: 'no question' })
  })
})

describe('choices', () => {
  const value = (field: Parameters<typeof valueOf>[0], record: unknown, seed = 1) =>
    valueOf(field, record, context(seed))
  const list = ['heat', 'wind', 'sand']
  test('the right one by letter, number or text', () => {
    for (const [by, answer] of [
      ['letter', '(B)'],
      ['index', 1],
      ['number', '2'],
      ['text', 'WIND'],
    ] as const) {
      const { shown, letter, text } = choices({ list: 'list', answer: 'answer', by })
      const record = { list, answer }
      expect(value(shown, record)).toBe('(A) heat\n(B) wind\n(C) sand')
      expect([value(letter, record), value(text, record)]).toEqual(['B', 'wind'])
    }
    for (const answer of ['D', '', 7, null, 'wind']) {
      const { text } = choices({ list: 'list', answer: 'answer', by: 'letter' })
      expect(value(text, { list, answer })).toBeUndefined()
    }
  })
  test('in fields of their own, or in the first of several fields that holds a list', () => {
    const record = { a: 'heat', b: 'wind', c: ['sand', 'rain'], answer: 'B' }
    const of = (fields: readonly Parameters<typeof valueOf>[0][]) =>
      choices({ fields, answer: 'answer', by: 'letter' })
    for (const fields of [
      ['a', 'b'],
      ['a', ['x', 'b']],
      [() => 'heat', 'b'],
    ]) {
      expect(value(of(fields).shown, record)).toBe('(A) heat\n(B) wind')
      expect(value(of(fields).text, record)).toBe('wind')
    }
    expect(value(of(['a', 'b', 'x']).text, record)).toBeUndefined()
    const { shown } = choices({ list: ['x', 'c'], answer: 'answer', by: 'letter' })
    expect(value(shown, record)).toBe('(A) sand\n(B) rain')
  })
  test('there are 26 letters', () => {
    const many = Array.from({ length: 50 }, (_, i) => `c${i}`)
    const of = (count: number, most?: number) =>
      value(choices({ list: 'list', answer: 'answer', by: 'index', ...(most && { most }) }).letter, {
        list: many.slice(0, count),
        answer: count - 1,
      })
    expect(of(26)).toBe('Z')
    expect(of(26, 40)).toBe('Z')
    for (const [count, most] of [[27], [27, 40], [50, 40], [50, 27]] as const)
      expect(of(count, most)).toBeUndefined()
    expect(of(50, 26)).toMatch(/^[A-Z]$/)
  })
  test('some of many, the right one among them, shown and named alike', () => {
    const many = Array.from({ length: 100 }, (_, i) => `c${i}`)
    const { shown, letter } = choices({ list: 'list', answer: 'answer', most: 4 })
    const seen = new Set<unknown>()
    for (let seed = 0; seed < 20; seed++) {
      const record = { list: many, answer: 'c42' }
      const lines = String(value(shown, record, seed)).split('\n')
      expect(lines).toHaveLength(4)
      expect(lines.filter((line) => line === `(${String(value(letter, record, seed))}) c42`)).toHaveLength(1)
      seen.add(value(letter, record, seed))
    }
    expect(seen.size).toBe(4)
  })
})

test('template: a seeded pair, braces of a row left alone', () => {
  const read = template(
    [
      { instruction: 'Q: {q} {x}', output: '{a}' },
      { instruction: '{q}?', output: '{a}.' },
    ],
    { q: 'q', a: 'a' },
  )
  const seen = new Set(
    Array.from({ length: 20 }, (_, seed) => JSON.stringify(made(read, { q: '{a}', a: '$&' }, seed))),
  )
  expect([...seen].sort()).toEqual([
    '{"instruction":"Q: {a} {x}","input":"","output":"$&"}',
    '{"instruction":"{a}?","input":"","output":"$&."}',
  ])
  expect(made(read, { q: 'x' })).toEqual({ dropped: 'no a' })
  expect(made(firstOf(read, columns({ instruction: 'q', output: 'b' })), { q: 'x', b: 'y' })).toMatchObject({
    output: 'y',
  })
})

test('marks', () => {
  expect(without('</s>', '')(' a</s> b</s>\n')).toBe('a b')
  expect(before('</s>', '<end>')('a <end> b </s>')).toBe('a')
  expect(decodeBreaks('a\\nb')).toBe('a\nb')
  expect(withoutReferences('Built in 1901.[3] It[a] stands,[12][citation needed] x[1] of a[i].')).toBe(
    'Built in 1901. It stands, x[1] of a[i].',
  )
})

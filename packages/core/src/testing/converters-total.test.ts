import { expect, test } from 'vitest'
import {
  alternating,
  before,
  choices,
  columns,
  firstOf,
  htmlToMarkdown,
  isDropped,
  messages,
  nl2SqlCodes,
  numbered,
  oneOf,
  preferred,
  query,
  repeatMerged,
  speakers,
  steps,
  tableHtml,
  tableMarkdown,
  template,
  textOf,
  through,
  transcript,
  without,
  withoutReferences,
  type Read,
} from '../data/collection/index.js'
import { DataRandom } from '../data/random.js'
import { claimRenders, claimTexts } from './dataset.js'
import { randomJson } from './random-json.js'

const marks = { user: 'Human:', assistant: ['Assistant:', '{x}'], anchored: false, end: ['|', ''] } as const
const asked = choices({ list: 'data', answer: 'value', by: 'index', most: 2 })
const pair = columns({ instruction: 'from', output: 'text' })

/** Every converter, over the same few names of fields. */
const reads: Readonly<Record<string, Read>> = {
  columns: columns(
    { instruction: ['from', 'turn_1.text'], input: 'text', output: oneOf('value', 'all'), system: 'role' },
    { blanks: true, meta: ['role', 'data'] },
  ),
  'columns with changes of texts': columns({
    instruction: through('text', without('a', ''), withoutReferences, before('b', '')),
    output: oneOf(['value', 'conversations']),
  }),
  messages: messages('conversations', { ...speakers, a: 'user', A: 'assistant' }, { system: 'text' }),
  'messages, repaired': messages(
    'conversations',
    { a: 'user', 你好: 'assistant', '': 'tool' },
    { repair: true },
  ),
  'messages of HTML': messages(
    'conversations',
    { a: 'user', 你好: 'assistant', '': 'tool' },
    { text: htmlToMarkdown, repair: true },
  ),
  'values under numbers': alternating(numbered('turn_', 'data'), { repair: true }),
  alternating: alternating('conversations'),
  'alternating, repaired': alternating('data', { repair: true, meta: ['text'] }),
  transcript: transcript('text', { ...marks, head: 'drop', answer: 'value' }),
  'transcript, repaired': transcript('value', { ...marks, head: 'system', repair: true }),
  steps: steps('turn_', { inside: 'data', system: 'text', repair: true }),
  'steps of fields': steps('turn_', {
    says: [
      ['user', 'text'],
      ['assistant', 'value'],
    ],
  }),
  template: template([{ instruction: '{a} {b}', input: '{c}', output: '{a}{x}' }], {
    a: 'text',
    b: 'value',
    c: 'from',
  }),
  preferred: preferred(
    { read: pair, score: 'value' },
    { read: alternating('conversations'), score: 'data' },
    { read: columns({ instruction: 'from', output: oneOf('data', 'all') }), score: 'turn_1' },
  ),
  choices: columns({ instruction: asked.shown, input: asked.letter, output: asked.text }),
  firstOf: firstOf(alternating('data'), pair, columns({ instruction: 'value', output: 'value' })),
  'no names at all': firstOf(template([], {}), columns({ instruction: [], output: '' })),
}

const keys = [
  'text',
  'value',
  'from',
  'role',
  'conversations',
  'data',
  'turn_1',
  'turn_2',
  'turn_10',
  'rows',
  'sel',
  'agg',
  'conds',
]

/** All fields of random values, the conversation often nearly one. */
function records(random: DataRandom): Record<string, unknown> {
  const value = () => randomJson(random, keys)
  const speaker = () => (random.below(8) ? ['human', 'gpt', 'a', '你好', ''][random.below(5)] : value())
  const turns = () => Array.from({ length: random.below(5) }, () => ({ from: speaker(), value: value() }))
  const record = Object.fromEntries(keys.map((key) => [key, value()]))
  return random.below(2) ? record : { ...record, conversations: turns() }
}

test.each(Object.entries(reads))(
  '%s: any JSON gives examples that can be learned, or a reason',
  (name, read) => {
    const random = new DataRandom('total', name)
    const reasons = new Set<string>()
    let given = 0
    for (let i = 0; i < 3000; i++) {
      const record = i % 10 === 0 ? randomJson(random, keys) : records(random)
      const context = { file: 'f', random: (purpose: string) => new DataRandom(i, purpose) }
      const made = read(record, context)
      expect(read(record, context)).toEqual(made)
      if (isDropped(made)) {
        expect(typeof made.dropped).toBe('string')
        reasons.add(made.dropped)
      } else
        for (const example of [made].flat()) {
          given++
          claimTexts(example, JSON.stringify(record))
          claimRenders(example, JSON.stringify(record))
        }
    }
    // Reasons can be counted: there are few, and none holds anything of a record.
    expect(reasons.size).toBeGreaterThan(0)
    expect(reasons.size).toBeLessThan(12)
    if (name !== 'no names at all') expect(given).toBeGreaterThan(0)
  },
)

test('tables and queries of any JSON', () => {
  const random = new DataRandom('total tables')
  for (let i = 0; i < 1500; i++) {
    const cell = () => {
      const text = randomJson(random, keys, 1)
      return random.below(2) ? text : { text, rowSpan: random.below(4), colSpan: random.below(4) }
    }
    const row = () => Array.from({ length: random.below(4) }, cell)
    const rows = i % 5 === 0 ? randomJson(random, keys, 5) : Array.from({ length: random.below(5) }, row)
    const grid = repeatMerged(rows)!
    expect(new Set(grid.map((line) => line.length)).size).toBeLessThanOrEqual(1)
    const limit = { rows: random.below(3), characters: random.below(80), keep: [random.below(5)] }
    const { text, omitted } = tableMarkdown(rows, { limit })!
    const lines = text === '' ? 0 : text.split('\n').length - 2
    expect(lines + omitted).toBe(text === '' ? 0 : grid.length - 1)
    expect(tableHtml(rows, { limit })!.text.match(/<table>|<\/table>/g)).toHaveLength(2)
    const small = () => (random.below(4) ? random.below(4) : randomJson(random, keys, 1))
    const sql = random.below(4)
      ? { sel: small(), agg: small(), cond_conn_op: small(), conds: [[small(), small(), small()]] }
      : rows
    const values = query({ rows }, sql, nl2SqlCodes)
    expect(isDropped(values) || values.every((value) => typeof value === 'string')).toBe(true)
  }
})

test('a text is made of any scalar and of a list of them, and of nothing else', () => {
  const random = new DataRandom('total texts')
  const isScalar = (value: unknown): value is string | number | boolean =>
    ['string', 'number', 'boolean'].includes(typeof value)
  const expected = (value: unknown): string | null => {
    if (Array.isArray(value)) return value.every(isScalar) ? value.map(expected).join(', ') : null
    if (value === null || (typeof value === 'number' && !Number.isFinite(value))) return ''
    return isScalar(value) ? String(value).replaceAll('\r\n', '\n') : null
  }
  const kinds = new Set<string>()
  for (let i = 0; i < 1500; i++) {
    const value = randomJson(random, keys, 2)
    expect(textOf(value)).toBe(expected(value))
    kinds.add(`${Array.isArray(value) ? 'list' : typeof value}: ${typeof textOf(value)}`)
  }
  // Null stands for what is no text; of null there is one, the empty.
  for (const kind of ['list: string', 'list: object', 'object: string', 'object: object'])
    expect(kinds).toContain(kind)
})

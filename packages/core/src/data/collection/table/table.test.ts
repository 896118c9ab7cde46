import { describe, expect, test } from 'vitest'
import { nl2SqlCodes, query, repeatMerged, tableHtml, tableMarkdown, wikiSqlCodes } from '../index.js'

const merged = [
  [
    { text: 'Year', rowSpan: 2 },
    { text: 'Cost', colSpan: 2 },
  ],
  ['Fuel', 'Crew'],
  ['2016', '$5', '$7'],
]

test('merged cells are repeated', () => {
  expect(repeatMerged(merged)).toEqual([
    ['Year', 'Cost', 'Cost'],
    ['Year', 'Fuel', 'Crew'],
    ['2016', '$5', '$7'],
  ])
  // Two cells of different heights side by side, and one at the right end.
  expect(repeatMerged([['a', { text: 'b', rowSpan: 3 }], ['c'], ['d', 'e']])).toEqual([
    ['a', 'b', ''],
    ['c', 'b', ''],
    ['d', 'b', 'e'],
  ])
  expect(repeatMerged([[{ text: 'a', colSpan: 1e9, rowSpan: 1e9 }]])![0]).toHaveLength(1000)
})

test('Markdown', () => {
  expect(tableMarkdown([['a', 'b|c'], [1, 'x\ny'], [null]])).toEqual({
    text: '| a | b\\|c |\n| --- | --- |\n| 1 | x y |\n|  |  |',
    omitted: 0,
  })
  expect(tableMarkdown([['a']], { header: false })!.text).toBe('|  |\n| --- |\n| a |')
})

test('white space of a cell, in a time that grows with the cell', () => {
  const cell = (text: string) => tableMarkdown([[text]])!.text.split('\n')[0]
  expect(cell(' a  b \t\r\n  c\n')).toBe('| a  b c |')
  for (const white of [' ', '\t', '\n', ' \n', '\u2003']) {
    const long = white.repeat(1_000_000)
    const between = white.includes('\n') ? ' ' : long
    expect(cell(`${long}a${long}b${long}`)).toBe(`| a${between}b |`)
  }
})

describe('a table that takes too much', () => {
  const spans = (colSpan: number, rowSpan: number, text = 'x') => ({ text, colSpan, rowSpan })
  const rows = (count: number, ...first: unknown[]) => [first, ...Array.from({ length: count - 1 }, () => [])]
  test.each<[string, unknown[][]]>([
    ['wide cells row by row', Array.from({ length: 2000 }, () => [spans(1000, 1)])],
    ['one cell over all rows', rows(2000, spans(1000, 1e9))],
    [
      'one long row, to which the others are filled up',
      rows(2000, ...Array.from({ length: 1000 }, () => 'x')),
    ],
    ['a long text that is repeated', rows(1, spans(1000, 1, 'x'.repeat(20_000)))],
    ['many rows of one cell', Array.from({ length: 1_100_000 }, () => ['x'])],
  ])('%s', (_, table) => {
    expect(repeatMerged(table)).toBeNull()
    expect(tableMarkdown(table)).toBeNull()
  })
  test('in HTML merged cells are written once, and the texts count', () => {
    expect(tableHtml(rows(2000, spans(1000, 1e9)))!.text).toContain('rowspan="1000000000" colspan="1000"')
    expect(tableHtml([Array.from({ length: 1000 }, () => '&'.repeat(20_000))])).toBeNull()
    expect(tableHtml(Array.from({ length: 1100 }, () => Array.from({ length: 1000 }, () => 'x')))).toBeNull()
  })
  test('what a large table may take', () => {
    expect(repeatMerged(rows(1000, spans(1000, 1e9)))).toHaveLength(1000)
    expect(tableHtml([['x'.repeat(2 ** 24)]])!.text.length).toBeGreaterThan(2 ** 24)
    expect(tableHtml([['x'.repeat(2 ** 24)], ['x']])).toBeNull()
  })
})

test('rows beyond a limit go, but for those that are kept', () => {
  const rows = [['n'], ...Array.from({ length: 100 }, (_, i) => [i])]
  const { text, omitted } = tableMarkdown(rows, { limit: { rows: 3, keep: [70] } })!
  expect(text).toBe('| n |\n| --- |\n| 0 |\n| 1 |\n| 70 |')
  expect(omitted).toBe(97)
  const short = tableMarkdown(rows, { limit: { characters: 40 } })!
  expect(short.text.length).toBeLessThanOrEqual(40)
  expect(short.text.split('\n').length - 2 + short.omitted).toBe(100)
  expect(tableHtml(rows, { limit: { rows: 1 } })!.omitted).toBe(99)
})

test('HTML', () => {
  expect(tableHtml(merged, { header: 2 })!.text).toBe(
    [
      '<table>',
      '<tr><th rowspan="2">Year</th><th colspan="2">Cost</th></tr>',
      '<tr><th>Fuel</th><th>Crew</th></tr>',
      '<tr><td>2016</td><td>$5</td><td>$7</td></tr>',
      '</table>',
    ].join('\n'),
  )
  expect(tableHtml([['<a & b>\nc']])!.text).toContain('<th>&lt;a &amp; b&gt;<br>c</th>')
})

describe('query', () => {
  const table = {
    rows: [
      ['March 13', '1,200', 'x'],
      ['March 14', 0.1, 'x'],
      ['april', '0.2', 'y'],
    ],
  }
  const wiki = (sel: number, agg: number, ...conds: unknown[]) =>
    query(table, { sel, agg, conds }, wikiSqlCodes)
  test.each<[number, number, unknown[], readonly string[]]>([
    [1, 0, [[0, 0, 'march 13']], ['1,200']],
    [0, 0, [[1, 1, 0.15]], ['March 13', 'april']],
    [1, 1, [], ['1,200']],
    [1, 2, [], ['0.1']],
    [1, 3, [[2, 0, 'X']], ['2']],
    [1, 4, [[1, 2, 1]], ['0.3']],
    [1, 5, [[1, 2, 1]], ['0.15']],
    [
      0,
      0,
      [
        [1, 0, '1200'],
        [2, 0, 'y'],
      ],
      [],
    ],
    [0, 4, [], []],
  ])('sel %j agg %j conds %j', (sel, agg, conds, values) => {
    expect(wiki(sel, agg, ...conds)).toEqual(values)
  })
  test.each<[string, number, readonly string[], string]>([
    ['more digits than a double has', 4, ['1234567890123456789', '1'], '1234567890123456790'],
    ['of thousands', 4, ['1,234,567,890,123', '2'], '1234567890125'],
    ['with a fraction', 4, ['1234567890123.25', '0.5'], '1234567890123.75'],
    ['of both signs', 4, ['-0.3', '.1', '+1e-1'], '-0.1'],
    ['of exponents', 4, ['1e21', '5.', '1E+2'], '1000000000000000000105'],
    ['beyond all doubles', 4, ['1e400', '-1e400', '7'], '7'],
    ['an average of many digits', 5, ['12345678901234567', '12345678901234568'], '12345678901234568'],
    ['an average with an end', 5, ['1234567890123', '1234567890124'], '1234567890123.5'],
    ['an average without one', 5, ['10', '-30', '10'], '-3.33333333333333'],
    ['a small average', 5, ['0.000002', '0', '0'], '0.000000666666666666667'],
    ['an average of 9s', 5, ['0.9999999999999999', '0.9999999999999999'], '1'],
    ['the largest', 1, ['9007199254740992', '9007199254740993'], '9007199254740993'],
    ['the least', 2, ['1e400', '1e399'], '1e399'],
  ])('digits: %s', (_, agg, cells, value) => {
    const rows = cells.map((cell) => [cell])
    expect(query({ rows }, { sel: 0, agg, conds: [] }, wikiSqlCodes)).toEqual([value])
  })
  test('numbers are compared by all their digits, texts of too many as texts', () => {
    const rows = [['9007199254740992'], ['9007199254740993.0'], ['9,007,199,254,740,993']]
    const where = (code: number, value: unknown) =>
      query({ rows }, { sel: 0, agg: 3, conds: [[0, code, value]] }, wikiSqlCodes)
    expect([where(0, '9007199254740993'), where(1, '9007199254740992')]).toEqual([['2'], ['2']])
    const long = '1'.repeat(1_000_000)
    for (const text of [long, `${long}x`, `${long},`, `0.${long}`])
      expect(query({ rows: [[text]] }, { sel: 0, agg: 3, conds: [[0, 0, text]] }, wikiSqlCodes)).toEqual([
        '1',
      ])
  })
  test('a query that asks for too much', () => {
    const many = Array.from({ length: 101 }, () => 0)
    const tooMany = { dropped: 'a query of more than 100 columns or conditions' }
    expect(query(table, { sel: many, agg: many }, wikiSqlCodes)).toEqual(tooMany)
    const conds = many.map(() => [0, 0, 'x'])
    expect(query(table, { sel: 0, agg: 0, conds }, wikiSqlCodes)).toEqual(tooMany)
    const large = { rows: Array.from({ length: 20_000 }, () => ['x']) }
    const sel = many.slice(1)
    expect(query(large, { sel, agg: sel }, wikiSqlCodes)).toEqual({ dropped: 'an answer that is too long' })
    expect(query(large, { sel, agg: sel.map(() => 3) }, wikiSqlCodes)).toHaveLength(100)
  })
  test('the codes of NL2SQL differ', () => {
    const sql = {
      sel: [0, 1],
      agg: [0, 0],
      cond_conn_op: 2,
      conds: [
        [0, 2, 'april'],
        [1, 0, '1000'],
      ],
    }
    expect(query(table, sql, nl2SqlCodes)).toEqual(['March 13', '1,200', 'april', '0.2'])
    expect(
      query(table, { sel: [1, 1], agg: [1, 3], cond_conn_op: 0, conds: [[2, 3, 'x']] }, nl2SqlCodes),
    ).toEqual(['0.2', '0.2'])
  })
  test.each<[unknown, unknown, string]>([
    [{}, {}, 'no table'],
    [table, null, 'no query'],
    [table, { sel: 9, agg: 0, conds: [] }, 'the query asks for a column that the table lacks'],
    [table, { sel: 0, agg: 0, conds: [[9, 0, 'x']] }, 'the query asks for a column that the table lacks'],
    [table, { sel: 0, agg: 9, conds: [] }, 'no query'],
    [table, { sel: 0, agg: 0, conds: [[0, 3, 'x']] }, 'no query'],
  ])('%j, %j: %s', (from, sql, dropped) => {
    expect(query(from, sql, wikiSqlCodes)).toEqual({ dropped })
  })
})

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
  expect(repeatMerged([[{ text: 'a', colSpan: 1e9, rowSpan: 1e9 }]])[0]).toHaveLength(1000)
})

test('Markdown', () => {
  expect(tableMarkdown([['a', 'b|c'], [1, 'x\ny'], [null]])).toEqual({
    text: '| a | b\\|c |\n| --- | --- |\n| 1 | x y |\n|  |  |',
    omitted: 0,
  })
  expect(tableMarkdown([['a']], { header: false }).text).toBe('|  |\n| --- |\n| a |')
})

test('rows beyond a limit go, but for those that are kept', () => {
  const rows = [['n'], ...Array.from({ length: 100 }, (_, i) => [i])]
  const { text, omitted } = tableMarkdown(rows, { limit: { rows: 3, keep: [70] } })
  expect(text).toBe('| n |\n| --- |\n| 0 |\n| 1 |\n| 70 |')
  expect(omitted).toBe(97)
  const short = tableMarkdown(rows, { limit: { characters: 40 } })
  expect(short.text.length).toBeLessThanOrEqual(40)
  expect(short.text.split('\n').length - 2 + short.omitted).toBe(100)
  expect(tableHtml(rows, { limit: { rows: 1 } }).omitted).toBe(99)
})

test('HTML', () => {
  expect(tableHtml(merged, { header: 2 }).text).toBe(
    [
      '<table>',
      '<tr><th rowspan="2">Year</th><th colspan="2">Cost</th></tr>',
      '<tr><th>Fuel</th><th>Crew</th></tr>',
      '<tr><td>2016</td><td>$5</td><td>$7</td></tr>',
      '</table>',
    ].join('\n'),
  )
  expect(tableHtml([['<a & b>\nc']]).text).toContain('<th>&lt;a &amp; b&gt;<br>c</th>')
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

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  executeWikiSql,
  parseWikiSql,
  sameResult,
  sameWikiSql,
  tabFactLabel,
  tabMwpAnswer,
  tabMwpChoice,
  tabMwpNormalised,
  tabMwpScore,
  wikiSqlAggregates,
  wikiSqlOperators,
  type WikiSqlQuery,
  type WikiSqlTable,
} from './index.js'

const reference = JSON.parse(
  readFileSync(new URL('../../../../fixtures/eval/tabular.json', import.meta.url), 'utf8'),
) as {
  tables: WikiSqlTable[]
  queries: { table: number; query: WikiSqlQuery; result: (string | number | null)[] | null }[]
  normalised: { text: string; unit: string; expected: string }[]
}

test('logical forms give what the engine of WikiSQL gives', () => {
  for (const { table, query, result } of reference.queries)
    expect(executeWikiSql(reference.tables[table]!, query), JSON.stringify(query)).toEqual(result)
  // The comparison says something: most forms find something, and all kinds are there.
  const found = reference.queries.filter(({ result }) => result && result.length > 0 && result[0] !== null)
  expect(found.length).toBeGreaterThan(250)
  expect(new Set(reference.queries.map(({ query }) => query.agg)).size).toBe(6)
})

test('a form that does not fit the table has no result', () => {
  const [table] = reference.tables as [WikiSqlTable]
  const form = { sel: 0, agg: 0, conds: [] }
  expect(executeWikiSql(table, form)).toHaveLength(6)
  for (const wrong of [
    { ...form, sel: 4 },
    { ...form, sel: 0.5 },
    { ...form, agg: 6 },
    { ...form, conds: [[9, 0, 'x']] as const },
    { ...form, conds: [[0, 3, 'x']] as const },
    { ...form, conds: [[2, 0, 'many']] as const },
  ])
    expect(executeWikiSql(table, wrong)).toBeNull()
  expect(sameResult(null, null)).toBe(false)
  expect(sameResult([1, 'a'], [1, 'a'])).toBe(true)
  expect(sameResult([1, 'a'], ['a', 1])).toBe(false)
  expect(sameResult([1], [1, 1])).toBe(false)
})

test('forms are the same in any order and case of their conditions', () => {
  const form = {
    sel: 0,
    agg: 1,
    conds: [
      [1, 0, 'Duke'],
      [2, 1, 5],
    ] as [number, number, string | number][],
  }
  expect(
    sameWikiSql(form, {
      ...form,
      conds: [
        [2, 1, '5'],
        [1, 0, 'DUKE'],
      ],
    }),
  ).toBe(true)
  expect(sameWikiSql(form, { ...form, agg: 2 })).toBe(false)
  expect(sameWikiSql(form, { ...form, conds: [[1, 0, 'Duke']] })).toBe(false)
})

test('queries that a model writes', () => {
  const { header } = reference.tables[0]!
  const parsed = (text: string) => parseWikiSql(text, header)
  expect(parsed('SELECT Player FROM table')).toEqual({ sel: 0, agg: 0, conds: [] })
  expect(parsed('select max( "Goals" ) from t where `School/Club` = "Duke" and No. > 5;')).toEqual({
    sel: 2,
    agg: 1,
    conds: [
      [3, 0, 'Duke'],
      [1, 1, '5'],
    ],
  })
  expect(
    parsed("Sure:\n```sql\nSELECT COUNT(*)\nFROM players\nWHERE [school/club] = 'Salt and Pepper''s'\n```"),
  ).toEqual({
    sel: 0,
    agg: 3,
    conds: [[3, 0, "Salt and Pepper's"]],
  })
  expect(parsed('SELECT col1 FROM t WHERE col2 < 1,200')).toEqual({
    sel: 1,
    agg: 0,
    conds: [[2, 2, '1,200']],
  })
  expect(
    parsed("SELECT Player FROM t WHERE School/Club = 'a; b and c'\nAND Goals > 3\n\nThis finds all."),
  ).toEqual({
    sel: 0,
    agg: 0,
    conds: [
      [3, 0, 'a; b and c'],
      [2, 1, '3'],
    ],
  })
  expect(parsed('Use SELECT Player FROM t\nIt lists all.')).toEqual({ sel: 0, agg: 0, conds: [] })
  for (const text of [
    'SELECT Player FROM t ORDER BY Goals',
    'SELECT Player FROM t\nORDER BY Goals LIMIT 1',
    "SELECT Player FROM t WHERE Goals = 3 OR No. = '4'",
    "SELECT Player FROM t WHERE Goals = '3' OR No. = '4'",
    'SELECT Player FROM t WHERE Goals = 3 GROUP BY No.',
    'SELECT Player FROM t WHERE Goals BETWEEN 3 AND 4',
    '',
    'Nashville',
    'SELECT Weight FROM t',
    'SELECT Player FROM t WHERE Weight = 3',
    'SELECT Player FROM t WHERE Goals',
    'SELECT Player FROM t WHERE Goals >= 3',
    'SELECT Player FROM t WHERE Goals =',
    'SELECT Player, Goals FROM t',
    'SELECT col9 FROM t',
  ])
    expect(parsed(text), text).toBeNull()
  // Names may hold signs of comparison, and begin each other.
  expect(parseWikiSql('SELECT a FROM t WHERE a = b = c', ['a', 'a = b'])).toEqual({
    sel: 0,
    agg: 0,
    conds: [[0, 0, 'b = c']],
  })
})

test('every form of the fixture is read back from its query', () => {
  for (const { table, query } of reference.queries) {
    const { header } = reference.tables[table]!
    const name = (column: number) => `"${header[column]}"`
    const aggregate = wikiSqlAggregates[query.agg]!
    const conditions = query.conds
      .filter(([, , value]) => value !== '')
      .map(([column, operator, value]) => `${name(column)} ${wikiSqlOperators[operator]} '${value}'`)
    const text =
      `SELECT ${aggregate === '' ? name(query.sel) : `${aggregate}(${name(query.sel)})`} FROM t` +
      (conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`)
    const expected = { ...query, conds: query.conds.filter(([, , value]) => value !== '') }
    expect(sameWikiSql(parseWikiSql(text, header)!, expected), text).toBe(true)
  }
})

test('a query of any length is read in a moment', () => {
  const since = performance.now()
  for (const text of [
    'select '.repeat(20_000),
    `select a from t where ${'a = "x" and '.repeat(5000)}`,
    `select a from ${' '.repeat(50_000)}`,
    `select ${'a'.repeat(50_000)} from`,
    `select a from t where ${'='.repeat(20_000)}`,
  ])
    parseWikiSql(text, ['a', 'b'])
  expect(performance.now() - since).toBeLessThan(3000)
})

test('answers of TabMWP are compared as its authors compare them', () => {
  for (const { text, unit, expected } of reference.normalised)
    expect(tabMwpNormalised(text, unit), `${text} (${unit})`).toBe(expected)
  // What ends the authors' program with an error stays as it is.
  expect(['1.2.3', '3/0', '1//2', ','].map((text) => tabMwpNormalised(text))).toEqual([
    '1.2.3',
    '3/0',
    '1//2',
    '',
  ])
})

test('the answer of a solution, and the choice that it names', () => {
  expect(tabMwpAnswer('3 + 4 = 7.\nThe answer is 7.')).toBe('7')
  expect(tabMwpAnswer('The answer is 5. No, the answer is $1,234.50.\nDone')).toBe('$1,234.50')
  expect(tabMwpAnswer('答案是：12 个。')).toBe('12 个')
  expect(tabMwpAnswer('Let us see.\n 7:25 P.M.')).toBe('7:25 P.M.')
  expect(tabMwpAnswer('')).toBe('')
  const choices = ['yes', 'no', 'Shop A']
  expect(tabMwpChoice('Yes', choices)).toBe('yes')
  expect(tabMwpChoice('(B)', choices)).toBe('no')
  expect(tabMwpChoice('b', choices)).toBe('no')
  expect(tabMwpChoice('(C) Shop A', choices)).toBe('Shop A')
  expect(tabMwpChoice('it is shop a, of course', choices)).toBe('Shop A')
  expect(tabMwpChoice('nothing is known', choices)).toBeNull()
  expect(tabMwpChoice('yes or no', choices)).toBeNull()
  const problem = { answer: '1,200', unit: '$', choices: null }
  expect(tabMwpScore('The answer is $1200.00.', problem)).toBe(1)
  expect(tabMwpScore('The answer is 1201.', problem)).toBe(0)
  expect(
    tabMwpScore('The answer is Shop A.', { answer: 'shop a', unit: '', choices: ['Shop A', 'Shop B'] }),
  ).toBe(1)
  expect(
    tabMwpScore('The answer is either.', { answer: 'Shop A', unit: '', choices: ['Shop A', 'Shop B'] }),
  ).toBe(0)
})

test('labels of TabFact', () => {
  for (const [text, label] of [
    ['entailed', 1],
    ['Refuted.', 0],
    ['True', 1],
    ['false', 0],
    ['The statement is not entailed.', 0],
    ['It is not false', 1],
    ["It isn't true", 0],
    ['不支持', 0],
    ['支持', 1],
    ['I think of false claims. The answer is entailed.', 1],
    ['incorrect', 0],
  ] as const)
    expect(tabFactLabel(text), text).toBe(label)
  for (const text of ['', 'untrue claims aside', 'perhaps']) expect(tabFactLabel(text), text).toBeNull()
})

import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { catalogue, catalogueDatasets, type KnownDataset } from '@ift/core'
import { Terminal } from '../ui/terminal.js'
import { catalogueChart, runChart, scaleOf, type Chart } from './chart.js'
import { chartSvg } from './svg.js'
import { chartText } from './text.js'

const set = (name: string, lang: readonly string[], count: number | null, more: object = {}) =>
  ({
    ...{
      name,
      count,
      unit: 'pairs',
      tags: { lang, task: ['MT'], gen: ['SI'] },
      variantOf: null,
      facts: null,
    },
    license: { id: 'MIT', commercial: true },
    ...more,
  }) as unknown as KnownDataset
const sets = [
  set('small', ['EN'], 500),
  set('both', ['EN', 'CN'], 1_000_000, { license: { id: 'X', commercial: false } }),
  set('many', ['ML'], 50_000, { facts: { tokens: { count: 9000, tokenizer: 'org/tok' } } }),
  set('small-decoded', ['EN'], 500, { variantOf: 'small' }),
  set('unsized', ['CN'], null),
]

function text(chart: Chart, width = 80, colour = false): string {
  let out = ''
  const stdout = new PassThrough().on('data', (chunk: Buffer) => (out += chunk.toString())) as never
  const env: Record<string, string> = colour ? { FORCE_COLOR: '1' } : {}
  chartText(chart, new Terminal(stdout, new PassThrough() as never, env), width)
  return out
}

test('bars by rows: the largest first, a set of the same records once, and those without a number by name', () => {
  const chart = catalogueChart(sets, 'rows')
  expect(chart.bars.map(({ name, value, source }) => [name, value, source])).toEqual([
    ['both', 1_000_000, 'pairs'],
    ['many', 50_000, 'pairs'],
    ['small', 500, 'pairs'],
  ])
  expect(chart.unknown).toEqual(['unsized'])
  // A variant that is chosen without the set that it is of.
  expect(catalogueChart([sets[3]!], 'rows').bars.map(({ name }) => name)).toEqual(['small-decoded'])
})

test('bars by tokens are of cards, or counted here, and say which', () => {
  const counted = new Map([['small', { rows: 3, tokens: 70 }]])
  const { bars, unknown } = catalogueChart(sets, 'tokens', counted)
  expect(bars.map(({ name, value, source }) => [name, value, source])).toEqual([
    ['many', 9000, 'by org/tok'],
    ['small', 70, 'counted here'],
  ])
  expect(unknown).toEqual(['both', 'unsized'])
  const run = runChart(
    new Map([
      ['mine.jsonl', { rows: 3, tokens: 70 }],
      ['many', { rows: 2, tokens: 90 }],
    ]),
    sets,
    'tokens',
  )
  expect(run.bars).toMatchObject([
    { name: 'many', value: 90, languages: ['ML'] },
    { name: 'mine.jsonl', value: 70, languages: [] },
  ])
})

test('lengths are logarithms where sizes lie far apart, and begin at zero else', () => {
  const bars = (...values: number[]) =>
    values.map((value) => ({ name: String(value), value, languages: [], isNonCommercial: false }))
  const near = scaleOf(bars(10, 40))
  expect([near.isLogarithmic, near.at(10), near.at(40)]).toEqual([false, 0.25, 1])
  const far = scaleOf(bars(100, 1_000_000))
  expect([far.isLogarithmic, far.at(1_000_000)]).toEqual([true, 1])
  expect(far.at(10_000) - far.at(1000)).toBeCloseTo(far.at(1000) - far.at(100), 10)
  expect(far.at(100)).toBeGreaterThan(0)
  expect(far.ticks).toEqual([100, 1000, 10_000, 100_000, 1_000_000])
  expect(scaleOf(bars(0, 0)).at(0)).toBe(0)
})

describe('on a terminal', () => {
  test('without colours a bar is made of the letter of its language, of two where it has two', () => {
    const lines = text(catalogueChart(sets, 'rows')).split('\n')
    expect(lines[1]).toMatch(/^ {2}both +(E{10,})(C{10,}) 1\.0M pairs NC$/)
    expect(lines[2]).toMatch(/^ {2}many +M{5,} 50\.0k pairs$/)
    expect(lines[3]).toMatch(/^ {2}small +E+ 500 pairs$/)
    expect(lines[4]).toBe('  E English  C Chinese  M many languages')
  })

  test('with colours each language has one', () => {
    const shown = text(catalogueChart(sets, 'rows'), 80, true)
    expect(shown).toMatch(/\u001B\[36m█+\u001B\[39m\u001B\[33m█+/)
    expect(shown).not.toContain('EE')
  })

  test.each([40, 60, 120])('no line is wider than %i columns', (width) => {
    const chart = catalogueChart(catalogueDatasets(catalogue()), 'rows')
    expect(chart.bars.length).toBeGreaterThan(50)
    for (const line of text(chart, width).split('\n').slice(1, -2))
      expect(line.length).toBeLessThanOrEqual(width)
  })
})

describe('as SVG', () => {
  const svg = chartSvg(catalogueChart(sets, 'rows'))

  test('it has a title, a description with every number, both looks, and no script', () => {
    expect(svg).toContain('<title id="title">Relative sizes of 3 datasets, in rows</title>')
    expect(svg).toMatch(
      /<desc id="desc">.*both: 1\.0M pairs, many: 50\.0k pairs, small: 500 pairs\. Not known: unsized\.<\/desc>/,
    )
    expect(svg).toContain('prefers-color-scheme: dark')
    expect(svg).not.toMatch(/<script|href=|\son\w+=/)
  })

  test('each bar has the colours of its languages, hatched where commercial use is not allowed', () => {
    const widths = (of: string) =>
      [
        ...svg.matchAll(
          new RegExp(`<rect x="[\\d.]+" y="(\\d+)" width="([\\d.]+)" height="14" ${of}/>`, 'g'),
        ),
      ].map(([, y, width]) => [Number(y), Number(width)])
    expect(widths('class="en"').map(([y]) => y)).toEqual([78, 122])
    expect(widths('class="cn"')).toEqual([[78, 260]])
    expect(widths('class="ml"').map(([y]) => y)).toEqual([100])
    expect(widths('fill="url\\(#nc\\)"')).toEqual([[78, 520]])
  })

  test('names of files are texts, whatever they hold', () => {
    const made = chartSvg(
      runChart(new Map([['<b>&"\u0001\ud800.jsonl', { rows: 1, tokens: 1 }]]), [], 'rows'),
    )
    expect(made).toContain('&lt;b&gt;&amp;&quot;.jsonl</text>')
    expect(made).not.toContain('<b>')
  })
})

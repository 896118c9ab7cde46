import { describe, expect, test } from 'vitest'
import type { LogRecord } from '../../contract/train.js'
import { chart, short, smooth, ticks } from './chart.js'
import { renderReport } from './report.js'

const metrics: LogRecord[] = Array.from({ length: 30 }, (_, i) => ({
  step: i + 1,
  kind: 'train',
  values: { loss: 3 / (i + 1), tokensPerSecond: 1000 + i, learningRate: 1e-3, gradientNorm: 1 },
}))

describe('chart', () => {
  test('ticks are round and inside the range', () => {
    expect(ticks(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1])
    expect(ticks(3, 97, 5)).toEqual([20, 40, 60, 80])
  })

  test('numbers are short', () => {
    expect([0, 0.00012, 0.5, 123.456, 45_600, 2_500_000].map(short)).toEqual([
      '0',
      '1.2e-4',
      '0.5',
      '123',
      '45.6k',
      '2.5M',
    ])
  })

  test('smoothing starts without bias and keeps a constant', () => {
    const flat = smooth(
      [
        [1, 2],
        [2, 2],
        [3, 2],
      ],
      0.9,
    )
    for (const [, y] of flat) expect(y).toBeCloseTo(2, 12)
  })

  test('points that are not finite are left out; no points, no chart', () => {
    const options = { title: 't', xLabel: 'x' }
    expect(
      chart({
        ...options,
        series: [
          {
            name: 'a',
            tone: 'main',
            points: [
              [0, 1],
              [1, Number.NaN],
              [2, 3],
            ],
          },
        ],
      }),
    ).not.toContain('NaN')
    expect(chart({ ...options, series: [{ name: 'a', tone: 'main', points: [] }] })).toBe('')
  })
})

const set = {
  ...{ rows: 250, taken: 250, tokens: 9000, share: 0.5, tokenShare: 0.5, epochs: 3 },
  ...{ heldOut: 0, dropped: 0, duplicates: 0 },
}

test('the page holds curves, facts and samples, and what a model wrote cannot become markup', () => {
  const html = renderReport({
    title: 'run <1>',
    facts: [['model', 'tiny']],
    metrics: [...metrics, { step: 30, kind: 'eval', values: { loss: 0.2 } }],
    mixture: [
      { ...set, name: 'alpaca' },
      { ...set, name: '<b>', rows: 1000, taken: 250 },
    ],
    samples: [{ prompt: 'p', output: '<script>alert(1)</script>', expected: 'e' }],
    config: 'a: 1',
  })
  expect(html.match(/<svg/g)).toHaveLength(4)
  expect(html).toContain('validation')
  expect(html).not.toContain('<script')
  expect(html).toContain('run &lt;1&gt;')
  expect(html).toContain('<tr><td>&lt;b&gt;</td><td>1,000</td><td>250</td><td>50.0 %</td>')
})

import { describe, expect, test } from 'vitest'
import type { LogRecord } from '../../contract/train.js'
import { chart, short, smooth, ticks } from './chart.js'
import { renderReport } from './report.js'

const metrics: LogRecord[] = Array.from({ length: 30 }, (_, i) => ({
  step: i + 1,
  kind: 'train',
  values: {
    ...{ loss: 3 / (i + 1), tokensPerSecond: 1000 + i, learningRate: 1e-3, gradientNorm: 1 },
    ...{ memory: 2 ** 30, peakMemory: 3 * 2 ** 30 },
  },
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

const plan = {
  ...{ weights: 2 ** 30, training: 2 ** 29, activations: 2 ** 31, workspace: 2 ** 28, total: 3.75 * 2 ** 30 },
  ...{ reserved: 4 * 2 ** 30, recomputeLayers: 0, fits: true, budget: 8 * 2 ** 30 },
}

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
    answers: [0, 1, 2, 3, 4, 5, 6, 7].flatMap((step) => [
      {
        step,
        index: 0,
        prompt: 'sum <1>',
        answer: `<img src=x> ${step}`,
        ended: 'length',
        tokens: 2,
      } as const,
      { step, index: 1, prompt: 'q', answer: 'a', ended: 'end', tokens: 1, expected: '<i>b' } as const,
    ]),
    plan,
    config: 'a: 1',
  })
  expect(html.match(/<svg/g)).toHaveLength(5)
  expect(html).toContain('validation')
  expect(html).not.toContain('<script')
  expect(html).toContain('run &lt;1&gt;')
  expect(html).toContain('<td>total</td><td>3.75</td><td>3.00</td>')
  expect(html).toContain(
    '<th>prompt</th><th>step 0, before</th><th>step 2</th><th>step 4</th><th>step 5</th><th>step 7</th><th>in the data</th>',
  )
  expect(html).toContain('<td>sum &lt;1&gt;</td><td>&lt;img src=x&gt; 0 …</td>')
  expect(html).not.toContain('<img')
  expect(html).toContain('<tr><td>&lt;b&gt;</td><td>1,000</td><td>250</td><td>50.0 %</td>')
})

import { expect, test } from 'vitest'
import { ablationPage } from './html.js'
import type { AblationReport } from './report.js'

const row = {
  ...{ name: '<b>set', rows: 10, taken: 10, tokens: 100, share: 1, tokenShare: 1, epochs: 2.5 },
  ...{ heldOut: 0, dropped: 0, duplicates: 0 },
}
const run = {
  ...{
    seed: 0,
    dir: 'x',
    steps: 8,
    epochs: 2.5,
    tokens: 1000,
    trainedTokens: 400,
    seconds: 3,
    finalLoss: 0.5,
  },
  ...{ mixture: [row], evaluation: 1 },
}
const report: AblationReport = {
  ...{ format: 1, ift: '0.1.0', finished: '2026-11-30T00:00:00.000Z', model: 'tiny', method: 'lora' },
  ...{ device: 'cpu', equal: 'steps', seeds: [0] },
  arms: [
    { name: 'all', changed: [], runs: [run] },
    { name: 'without <script>', changed: ['<b>set'], runs: [run] },
  ],
  tasks: [
    {
      ...{ name: 'regex', version: '1', metric: 'match', description: 'd', lowerIsBetter: false, items: 10 },
    },
  ],
  cells: [
    {
      ...{ arm: 'all', task: 'regex', seeds: [0.8], mean: 0.8, low: 0.5, high: 0.9, n: 10, difference: null },
      groups: { en: { mean: 1, low: 0.6, high: 1, n: 5 } },
    },
    {
      ...{ arm: 'without <script>', task: 'regex', seeds: [0.2], mean: 0.2, low: 0.1, high: 0.5, n: 10 },
      groups: {},
      difference: {
        ...{
          mean: -0.6,
          low: -0.97,
          high: -0.23,
          n: 10,
          p: 0.03,
          adjusted: 0.03,
          sd: null,
          se: null,
          method: 't',
          test: 'mcnemar',
          needed: 6,
        },
      },
    },
  ],
  changed: [
    {
      ...{ task: 'regex', arm: 'without <script>', id: 't:1', group: null, question: '<img src=x>' },
      before: { answer: '<i>1', score: 1 },
      after: { answer: '2', score: 0 },
    },
  ],
}

test('the page needs nothing beside it, and nothing that a model or a file wrote becomes markup', () => {
  const page = ablationPage(report)
  expect(page).not.toMatch(/<script|<img|<i>1|<b>set|https?:|url\(/)
  expect(page).toContain('<b>0.800</b><small>0.500 to 0.900</small>')
  expect(page).toContain(
    '<small class="down"><b>−0.600</b></small><small>−0.970 to −0.230</small><small>p 0.030</small>',
  )
  expect(page).toContain('Each number is of one training run')
  expect(page).toContain('2.50 epochs<small>10 rows, 100 tokens</small>')
  expect(page.match(/<svg /g)).toHaveLength(1)
})

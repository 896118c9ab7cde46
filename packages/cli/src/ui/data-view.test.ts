import { expect, test } from 'vitest'
import type { RunData } from '@ift/core'
import { lossRows } from './data-view.js'

const counts = { examples: 9, truncated: 2, cutTokens: 30, long: 3, untrained: 0, filtered: 0 }
const dataset = { name: 'd', leftOut: [], counts } as unknown as RunData['datasets'][number]
const said = (limit: RunData['limit']) => lossRows(dataset, limit, 50).map(([, text]) => text)

test('a limit says which it is, and the virtual tokens that it counts', () => {
  expect(said({ tokens: 50, by: 'maxLength', virtual: 0 })).toEqual([
    '3 of 9 examples dropped: 3 longer than maxLength (50 tokens)',
    '2 cut to maxLength (50 tokens), by 30 tokens in all',
  ])
  expect(said({ tokens: 40, by: 'maxLength', virtual: 10 })[0]).toContain(
    'longer than maxLength (40 tokens behind 10 virtual ones)',
  )
  expect(said({ tokens: 22, by: 'model', virtual: 10 })[1]).toContain(
    "cut to the model's limit (22 tokens behind 10 virtual ones; maxLength says 50)",
  )
})

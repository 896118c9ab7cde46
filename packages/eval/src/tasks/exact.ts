import { z } from 'zod'
import { exactMatch, tokenF1 } from '../metrics/index.js'
import { ownData, ownOptions } from './own-data.js'

const options = z.strictObject({
  ...ownOptions,
  ignoreCase: z.boolean().default(true),
  ignorePunctuation: z.boolean().default(false),
  ignoreWidth: z.boolean().default(true),
})

/** Answers that are those of the records, letter by letter but for what the options say. */
export const exact = ownData({
  name: 'exact',
  version: '1',
  description: 'Answers equal to those of your records, and F1 of their words.',
  options,
  metrics: {
    exact: { description: 'the answer is that of the record', kind: 'share' },
    f1: { description: 'F1 of words, or characters of Chinese', kind: 'mean' },
  },
  main: 'exact',
  score(extracted, { references }, rules) {
    const most = (scores: readonly number[]) => Math.max(...scores)
    return {
      exact: most(references.map((one) => exactMatch(extracted ?? '', one.trim(), rules))),
      f1: most(references.map((one) => tokenF1(extracted ?? '', one).f1)),
    }
  },
})

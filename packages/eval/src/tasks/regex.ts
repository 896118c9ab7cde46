import { z } from 'zod'
import { exactMatch, extractByRegex, sameNumber } from '../metrics/index.js'
import { ownData, ownOptions } from './own-data.js'

/** Characters of an answer that are searched: an expression of the user may take quadratic time. */
const mostSearched = 32_000

const expression = z
  .string()
  .min(1)
  .max(1000)
  .refine((pattern) => {
    try {
      return Boolean(new RegExp(pattern, 'u'))
    } catch {
      return false
    }
  }, 'expected a regular expression of JavaScript with the flag u')

const options = z.strictObject({
  ...ownOptions,
  pattern: expression.describe('What is taken of the answer: its first group, or all that it matches.'),
  take: z.enum(['first', 'last']).default('first'),
  as: z
    .enum(['text', 'number'])
    .default('text')
    .describe('What is compared: texts, or the values of numbers.'),
})

/** What an expression finds in answers, compared with what it finds in those of the records, or with these where it finds nothing there. */
export const regex = ownData({
  name: 'regex',
  version: '1',
  description: 'What an expression finds in answers, against your records.',
  options,
  metrics: {
    match: { description: 'what was found is that of the record', kind: 'share' },
    found: { description: 'the expression finds something', kind: 'share' },
  },
  main: 'match',
  extract: (answer, { pattern, take }) =>
    extractByRegex(answer.slice(0, mostSearched), new RegExp(pattern, 'u'), { take }),
  score(extracted, { references }, { pattern, take, as }) {
    const matches = references.some((reference) => {
      if (extracted === null) return false
      const wanted = extractByRegex(reference, new RegExp(pattern, 'u'), { take }) ?? reference.trim()
      return as === 'number'
        ? sameNumber(extracted, wanted)
        : exactMatch(extracted, wanted, { ignoreCase: true, ignoreWidth: true }) === 1
    })
    return { match: matches ? 1 : 0, found: extracted === null ? 0 : 1 }
  },
})

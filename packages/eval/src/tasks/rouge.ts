import { z } from 'zod'
import { rouge as rougeOf } from '../metrics/index.js'
import { ownData, ownOptions } from './own-data.js'

/** Characters of a text that are compared: the longest common subsequence takes the product of both. */
const mostCompared = 20_000

const f1 = (what: string) => ({ description: `F1 of ${what}`, kind: 'mean' }) as const

/** ROUGE (Lin, 2004), by words of Latin letters and by characters of Chinese. */
export const rouge = ownData({
  name: 'rouge',
  version: '1',
  description: 'ROUGE-1, -2 and -L of answers against your records.',
  options: z.strictObject(ownOptions),
  metrics: {
    rouge1: f1('words'),
    rouge2: f1('pairs of words'),
    rougeL: f1('the longest common subsequence'),
  },
  main: 'rougeL',
  score(extracted, { references }) {
    const [first, ...rest] = references.map((one) => one.slice(0, mostCompared))
    const { rouge1, rouge2, rougeL } = rougeOf((extracted ?? '').slice(0, mostCompared), [first!, ...rest])
    return { rouge1: rouge1.f1, rouge2: rouge2.f1, rougeL: rougeL.f1 }
  },
})

import { z } from 'zod'
import { bleuCounts, bleuOf } from '../metrics/index.js'
import { ownData, ownOptions } from './own-data.js'

const options = z.strictObject({
  ...ownOptions,
  tokenizer: z
    .enum(['auto', '13a', 'zh', 'char', 'none'])
    .default('auto')
    .describe("sacreBLEU's tokenizer; auto: zh where the reference has Chinese, else 13a."),
})

const hasChinese = (text: string) => /\p{Script=Han}/u.test(text)

/** BLEU of the corpus (Papineni et al., 2002) as sacreBLEU computes it, with an interval by bootstrap. */
export const bleu = ownData({
  name: 'bleu',
  version: '1',
  description: 'BLEU of answers against your records, by characters of Chinese.',
  options,
  metrics: {
    bleu: {
      description: 'BLEU of the corpus, 0 to 100',
      kind: 'corpus',
      of: ([answerLength, referenceLength, ...grams]) =>
        bleuOf([
          {
            answerLength: answerLength!,
            referenceLength: referenceLength!,
            total: grams.slice(0, 4),
            common: grams.slice(4),
          },
        ]).score,
    },
  },
  main: 'bleu',
  score(extracted, { references }, { tokenizer }) {
    const chosen = tokenizer === 'auto' ? (hasChinese(references[0]) ? 'zh' : '13a') : tokenizer
    const counts = bleuCounts(extracted ?? '', references, { tokenizer: chosen })
    const { answerLength, referenceLength, total, common } = counts
    return { bleu: [answerLength, referenceLength, ...total, ...common] }
  },
})

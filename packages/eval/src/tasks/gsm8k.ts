import type { TaskDefinition } from '@ift/core'
import { chineseNumber, exactMatch, lastNumber, sameNumber, strictNumber } from '../metrics/index.js'
import { field } from './fields.js'

interface Problem {
  readonly question: string
  /** Reasoning with `#### 18` at its end. */
  readonly answer: string
}

/** What lm-evaluation-harness leaves out of both texts before it compares them. */
const ignore = [/,/g, /\$/g, /.*#### /gs, /\.$/g]
const equals = (found: string | null, answer: string) =>
  exactMatch(found ?? '[invalid]', answer, { ignore, ignoreCase: true })

/** Grade-school problems (Cobbe et al., 2021), asked and scored as `gsm8k` of lm-evaluation-harness, and by 答案是 in Chinese answers. */
export const gsm8k: TaskDefinition<Problem> = {
  name: 'gsm8k',
  version: '3',
  description: 'Grade-school problems, by the number at the end of the answer.',
  source: 'https://github.com/openai/grade-school-math',
  licence: 'MIT',
  files: {
    items: ['test.jsonl', '**/test-*.parquet', 'test.*'],
    shots: ['train.jsonl', '**/train-*.parquet', 'train.*'],
  },
  metrics: {
    strict: { description: 'the number behind "####"', kind: 'share' },
    flexible: { description: 'the last number of the answer', kind: 'share' },
    zh: { description: 'the number behind 答案, or the last one, by its value', kind: 'share' },
  },
  main: 'strict',
  shots: 5,
  prompt: 'text',
  read(record) {
    const [question, answer] = [field(record, 'question'), field(record, 'answer')]
    if (question === '') return 'no question'
    return /#### *[-$\d.]/.test(answer) ? [{ question, answer }] : 'no answer behind "####"'
  },
  render: ({ question }) => `Question: ${question}\nAnswer:`,
  shown: ({ question, answer }) => `Question: ${question}\nAnswer: ${answer}`,
  generate: { until: ['Question:', '</s>', '<|im_end|>'], maxNewTokens: 256 },
  extract: (answer) => strictNumber(answer) ?? chineseNumber(answer) ?? lastNumber(answer),
  score({ answer: reference }, { answer }) {
    const number = reference.slice(reference.lastIndexOf('####') + 4).trim()
    const found = chineseNumber(answer) ?? lastNumber(answer)
    return {
      strict: equals(strictNumber(answer), reference),
      flexible: equals(lastNumber(answer), reference),
      zh: found !== null && sameNumber(found, number) ? 1 : 0,
    }
  },
}

import type { TaskDefinition } from '@ift/core'
import { field, textOf } from './fields.js'

interface Question {
  readonly field: string
  readonly question: string
  /** By letter, in the order of the record. */
  readonly choices: readonly { readonly letter: string; readonly text: string }[]
  /** Letters of the right ones, sorted. */
  readonly right: string
}

/** "A:家庭\nB:大学", with a colon, a full stop or a blank behind the letter, in lines or as a list. */
function choicesOf(value: unknown): Question['choices'] {
  const text = Array.isArray(value) ? value.map(textOf).join('\n') : textOf(value)
  return text
    .normalize('NFKC')
    .split(/\n+|(?<=\S)\s+(?=[A-E]\s*[:.、])/)
    .flatMap((line) => {
      const match = /^\s*([A-E])\s*[:.、)]?\s*(.+?)\s*$/s.exec(line)
      return match ? [{ letter: match[1]!, text: match[2]! }] : []
    })
}

const sorted = (letters: string) => [...new Set(letters)].sort().join('')

/** A run of letters, which 、 and commas may divide. */
const run = String.raw`([A-E](?:\s*[、,，和及]?\s*[A-E])*)(?![A-Za-z])`
const behindCue = new RegExp(String.raw`(?:答案|选项?|是)[^A-Za-z。;\n]{0,12}?${run}`)
const atStart = new RegExp(String.raw`^[\s(（\["“]*${run}`)

/** The letters that an answer names: behind 答案, 选 or 是, else at its beginning. Null for none. */
export function lettersOf(answer: string): string | null {
  const text = answer.normalize('NFKC')
  const found = atStart.exec(text)?.[1] ?? behindCue.exec(text)?.[1]
  return found === undefined ? null : sorted(found.replace(/[^A-E]/g, ''))
}

/**
 * MMCU (Zeng, 2023): questions of medicine, law, psychology and education, of which some have several right choices. Letters of an answer
 * have to be all the right ones; the likelihood of a letter is asked where one alone is right.
 */
export const mmcu: TaskDefinition<Question> = {
  name: 'mmcu',
  version: '1',
  description: 'Medicine, law, psychology and education in Chinese, by letters and by likelihood.',
  source: 'https://arxiv.org/abs/2304.12986',
  licence: '',
  metrics: {
    letters: { description: 'the answer names all right letters and no other', kind: 'share' },
    likelihood: { description: 'the right letter is the likeliest, where one is right', kind: 'share' },
  },
  main: 'letters',
  shots: 0,
  prompt: 'instruction',
  read(record) {
    const question = field(record, '题目', 'question')
    if (question === '') return 'no question'
    const choices = choicesOf(record.record['选项'] ?? record.record['choices'])
    if (choices.length < 2) return 'no choices'
    const right = sorted(
      field(record, '答案', 'answer')
        .normalize('NFKC')
        .replace(/[^A-E]/g, ''),
    )
    if (
      right === '' ||
      !Array.from(right).every((letter) => choices.some((choice) => choice.letter === letter))
    )
      return 'no right choice'
    return [{ field: field(record, '类别', 'class') || record.file, question, choices, right }]
  },
  render: ({ question, choices }) =>
    `${[question, ...choices.map(({ letter, text }) => `${letter}. ${text}`)].join('\n')}\n答案：`,
  shown(document) {
    const { question, choices, right } = document
    return `${[question, ...choices.map(({ letter, text }) => `${letter}. ${text}`)].join('\n')}\n答案：${right}`
  },
  preamble: () => '以下是单项或多项选择题，请给出正确答案的字母。\n\n',
  choices: ({ choices, right }) => (right.length === 1 ? choices.map(({ letter }) => letter) : []),
  generate: { until: ['\n'], maxNewTokens: 16 },
  extract: (answer) => lettersOf(answer),
  score({ choices, right }, { likelihoods, extracted }) {
    let best = 0
    for (const [i, { logprob }] of likelihoods.entries()) if (logprob > likelihoods[best]!.logprob) best = i
    return {
      letters: extracted === right ? 1 : 0,
      likelihood: likelihoods.length === 0 ? null : choices[best]!.letter === right ? 1 : 0,
    }
  },
  group: (document) => document.field,
}

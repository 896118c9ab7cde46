import type { TaskDefinition, TaskFiles, TaskRecord } from '@ift/core'
import { choiceMetrics, letters, scoreChoices, type Choice } from './choice.js'
import { field, textOf } from './fields.js'

/** What a set of examination questions says of itself. */
export interface Exam {
  readonly name: string
  readonly version: string
  readonly description: string
  readonly source: string
  readonly licence: string
  readonly files: TaskFiles
  /** What stands before the answer. */
  readonly cue: string
  /** The first line for a subject. */
  readonly preamble: (subject: string) => string
  /** Subject by the name of a file without what tells its split. */
  readonly splits: RegExp
}

/** Columns of files without a line of names: question, four choices, the letter of the right one. */
export const examHeader = ['question', 'A', 'B', 'C', 'D', 'answer'] as const

/** Choices of a record: under letters, or as a list. */
function choicesOf({ record }: TaskRecord): readonly string[] {
  const list = record['choices']
  if (Array.isArray(list)) return list.map((choice) => textOf(choice))
  return letters.slice(0, 4).flatMap((letter) => {
    const text = textOf(record[letter])
    return text === '' ? [] : [text]
  })
}

/** Index of the right choice: a letter, or the index itself; -1 for neither. */
function rightOf(record: TaskRecord): number {
  const answer = field(record, 'answer', 'Answer')
  return /^\d$/.test(answer) ? Number(answer) : letters.indexOf(answer.toUpperCase())
}

/**
 * Questions of examinations with four choices by letters, as lm-evaluation-harness asks them: the likelihood of " A" to " D" behind the
 * question, examples of the subject before it, a mean over all questions and by subject.
 */
export const exam = ({ cue, preamble, splits, ...facts }: Exam): TaskDefinition<Choice> => {
  const render = ({ question, choices }: Choice) =>
    `${[question, ...choices.map((choice, i) => `${letters[i]!}. ${choice}`)].join('\n')}\n${cue}`
  return {
    ...facts,
    metrics: choiceMetrics,
    main: 'acc',
    shots: 5,
    prompt: 'text',
    read(record) {
      const question = field(record, 'question', 'Question')
      if (question === '') return 'no question'
      const choices = choicesOf(record)
      if (choices.length < 2) return 'no choices'
      const right = rightOf(record)
      if (right < 0 || right >= choices.length) return 'no right choice'
      const subject = field(record, 'subject') || record.file.replace(splits, '')
      return [{ question, choices, right, subject }]
    },
    render,
    shown: (document) => `${render(document)} ${letters[document.right]!}`,
    preamble: ({ subject }) => preamble(subject),
    choices: ({ choices }) => choices.map((_, i) => ` ${letters[i]!}`),
    score: ({ choices, right }, { likelihoods }) =>
      scoreChoices(
        likelihoods,
        choices.map((_, i) => letters[i]!),
        right,
      ),
    group: ({ subject }) => subject,
  }
}

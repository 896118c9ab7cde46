import { choices, columns, textOf, through, valueOf, type Field, type FilePart } from '@ift/core/collection'

/** Numbers as they are said: "39.0" is 39. */
const number = (field: string) => through(field, (text) => text.replace(/^(-?\d+)\.0+$/, '$1').trim())
const trimmed = (field: Field) => through(field, (text) => text.trim())

const solved = columns({ instruction: trimmed('sQuestion'), output: number('lSolutions') })

/** A story, which may lack its full stop, and the question about it. */
const story: Field = (record, context) => {
  const [body = '', asked = ''] = ['Body', 'Question'].map(
    (name) => textOf(valueOf(name, record, context))?.trim() ?? '',
  )
  return asked === '' ? '' : `${body}${body === '' || /[.?!]$/.test(body) ? '' : '.'} ${asked}`.trim()
}

/** What a function makes of each value of a list. */
const each =
  (field: string, change: (value: unknown) => unknown): Field =>
  (record, context) => {
    const list = valueOf(field, record, context)
    return Array.isArray(list) ? list.map(change) : undefined
  }

/** "B)21" without its letter. */
const option = (value: unknown) => textOf(value)?.replace(/^[A-E]\)\s*/, '')
const aqua = choices({ list: each('options', option), answer: 'correct', by: 'letter' })
const choiceText = (value: unknown) =>
  typeof value === 'object' && value !== null && 'text' in value ? value.text : null
const commonsense = choices({ list: each('question.choices', choiceText), answer: 'answerKey', by: 'letter' })

const letters = columns({ instruction: 'question', output: 'answer' })

/** The sets as they lie in `dataset/`, each with the reader of its records. */
export const sets: readonly FilePart[] = [
  {
    names: ['dataset/AQuA/test.json', 'dataset/AQuA/test.jsonl'],
    read: columns({ instruction: 'question', input: aqua.shown, output: aqua.letter }),
  },
  {
    names: 'dataset/CommonsenseQA/dev_rand_split.jsonl',
    read: columns({ instruction: 'question.stem', input: commonsense.shown, output: commonsense.letter }),
  },
  { names: 'dataset/MultiArith/MultiArith.json', read: solved },
  { names: 'dataset/AddSub/AddSub.json', read: solved },
  { names: 'dataset/SingleEq/questions.json', read: solved },
  { names: 'dataset/SVAMP/SVAMP.json', read: columns({ instruction: story, output: number('Answer') }) },
  { names: 'dataset/StrategyQA/task.json', read: columns({ instruction: 'input', output: 'target' }) },
  { names: 'dataset/coin_flip/coin_flip.json', read: letters },
  { names: 'dataset/last_letters/last_letters.json', read: letters },
]

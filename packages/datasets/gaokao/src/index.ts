import { columns, defineCollection, textOf, through, valueOf, type Field } from '@ift/core/collection'

/** Subjects by their names in those of the files. */
const subjects: readonly (readonly [name: string, subject: string])[] = [
  ['Political_Science', '政治'],
  ['Geography', '地理'],
  ['Chemistry', '化学'],
  ['Biology', '生物'],
  ['Physics', '物理'],
  ['History', '历史'],
  ['English', '英语'],
  ['Chinese', '语文'],
  ['Math_II', '数学（文科）'],
  ['Math_I', '数学（理科）'],
]

const task: Field = (_, { file }) =>
  `请解答下面的高考${subjects.find(([name]) => file.includes(name))?.[1] ?? ''}题。`

const answer = through('answer', (text) => text.trim())
const reasoned: Field = (record, context) => {
  const [reason, result] = ['analysis', answer].map((field) => textOf(valueOf(field, record, context)) ?? '')
  return result?.trim() === '' ? '' : `${reason?.trim() ?? ''}\n【答案】${result ?? ''}`.trimStart()
}

const part = (output: Field) => ({
  // Files of 2023 are left out: newer models are evaluated on them.
  files: ['Data/{Objective,Subjective}_Questions/20??-20{13,22}_*.json'],
  converted: ['GAOKAO/gaokao.json'],
  read: columns({ instruction: task, input: 'question', output }, { meta: ['year', 'category'] }),
})

/** Questions with reasons and answers, and with answers alone. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  gaokao: part(reasoned),
  'gaokao-answers': part(answer),
})

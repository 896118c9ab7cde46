import type { RecordContext } from '@ift/core/collection'

/** The texts around a table. */
export interface Words {
  readonly instruction: (format: 'Markdown' | 'HTML') => string
  readonly table: string
  readonly title: string
  readonly text: string
  readonly question: string
}

// The original platform's words, to the letter: its converted files and these have one form.
const cells = (format: string) =>
  format === 'Markdown'
    ? String.raw` Table cells in one row are seperated by '|', and different rows are seperated by '\n'.`
    : ''

/** An instruction with what is to be done with a table, in the words of the original. */
const after = (task: string) => (format: string) =>
  `Please read the following table in ${format} format and then ${task}${cells(format)}`

export const questions: Words = {
  instruction: after('answer the question according to the table.'),
  table: 'Table:',
  title: 'Table title:',
  text: 'Text:',
  question: 'Question:',
}

/** Of two classes. */
export const statements = (yes: string, no: string): Words => ({
  ...questions,
  instruction: after(`decide whether the statement is ${yes} or ${no} by the table.`),
  question: 'Statement:',
})

/** Of three classes. */
export const hypotheses: Words = {
  ...questions,
  instruction: after(
    'tell how the statement follows from the table: answer with entailment, contradiction or neutral.',
  ),
  question: 'Statement:',
}

export const chineseQuestions: Words = {
  instruction: (format) =>
    `请阅读下面${format}格式的表格，并根据表格回答问题。${format === 'Markdown' ? String.raw`同一行的单元格用“|”分隔，不同的行用“\n”分隔。` : ''}`,
  table: '表格：',
  title: '表格标题：',
  text: '文本：',
  question: '问题：',
}

/** TabMWP's problems have several instructions, of which the seed chooses one. */
export const problems = ({ random }: RecordContext): Words => {
  const tasks = [
    'answer the question according to the table.',
    'solve the problem with the numbers of the table.',
    'work out the answer to the question step by step.',
    'explain how the question is answered from the table, and give the answer.',
  ]
  return { ...questions, instruction: after(tasks[random('instruction').below(tasks.length)]!) }
}

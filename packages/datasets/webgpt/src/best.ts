import { columns, preferred, textOf, through, valueOf, type Field, type Read } from '@ift/core/collection'

/** Marks of quotes in an answer: `[1]`, `[2, 3]`. */
const withoutCitations = (text: string): string => text.replace(/ ?\[\d{1,3}(?:, ?\d{1,3})*\]/g, '')

/** Quotes as "[1] title: extract", one below the other. */
const quotesOf =
  (field: string): Field =>
  (row, context) => {
    const [titles, extracts] = ['title', 'extract'].map((name) => valueOf(`${field}.${name}`, row, context))
    if (!Array.isArray(titles) || !Array.isArray(extracts)) return ''
    return titles
      .map((title, i) => `[${i + 1}] ${textOf(title) ?? ''}: ${textOf(extracts[i]) ?? ''}`)
      .join('\n')
  }

const answer = (i: number, quotes: boolean): Read =>
  columns(
    {
      instruction: 'question.full_text',
      ...(quotes && { input: quotesOf(`quotes_${i}`) }),
      output: quotes ? `answer_${i}` : through(`answer_${i}`, withoutCitations),
    },
    { meta: { source: 'question.dataset' } },
  )

/** The best and the worst of all answers of a group of comparisons, by their scores. */
export const best = ({ quotes }: { readonly quotes: boolean }): Read => {
  const answers = [answer(0, quotes), answer(1, quotes)]
  return (record, context) => {
    const rows = valueOf('records', record, context)
    const candidates = (Array.isArray(rows) ? rows : []).flatMap((row: unknown) =>
      answers.map((read, i) => ({
        read: () => read(row, context),
        score: () => valueOf(`score_${i}`, row, context),
      })),
    )
    return preferred(...candidates)(record, context)
  }
}

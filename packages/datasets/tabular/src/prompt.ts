import {
  columns,
  drop,
  isBlank,
  isDropped,
  tableHtml,
  tableMarkdown,
  textOf,
  valueOf,
  type Field,
  type Read,
  type RecordContext,
} from '@ift/core/collection'
import { questions, type Words } from './words.js'

export interface TablePrompt {
  /** Rows of cells; none where there is no table. */
  readonly table: Field
  /** Rows at the top that are headers: 1 when omitted. */
  readonly headers?: Field
  readonly title?: Field
  /** What stands beside the table. */
  readonly text?: Field
  readonly question: Field
  /** Choices, a line each. */
  readonly choices?: Field
  /** An answer, or why there is none (`drop`). */
  readonly answer: Field
  /** Numbers of rows below the first one that no limit leaves out. */
  readonly keep?: Field
  readonly words?: Words | ((context: RecordContext) => Words)
  readonly meta?: readonly string[]
}

/**
 * A table with a question about it, in the form of the original platform: `Table:`, `Table title:` where there is one, `Question:`. The
 * options of the dataset say how tables are written and how long they may be; rows that were left out are counted in `meta.omitted`.
 */
export function tablePrompt(prompt: TablePrompt): Read {
  return (record, context) => {
    const value = (field: Field | undefined) =>
      field === undefined ? undefined : valueOf(field, record, context)
    const rows = value(prompt.table)
    if (!Array.isArray(rows) || rows.length === 0) return drop('no table')
    const table = written(rows, { headers: value(prompt.headers), keep: value(prompt.keep) }, context)
    if (!table) return drop('a table that is too large')
    if (table.text === '') return drop('no table')
    const answer = value(prompt.answer)
    if (isDropped(answer)) return answer
    const words = typeof prompt.words === 'function' ? prompt.words(context) : (prompt.words ?? questions)
    const texts = { title: '', text: '', question: '', choices: '' }
    for (const name of ['title', 'text', 'question', 'choices'] as const) {
      const text = textOf(value(prompt[name]))
      if (text === null) return drop(`the ${name} is no text`)
      texts[name] = isBlank(text) ? '' : text
    }
    if (isBlank(texts.question)) return drop('no question')
    const parts = [
      [words.table, table.text],
      [words.title, texts.title],
      [words.text, texts.text],
      [words.question, [texts.question, texts.choices].filter(Boolean).join('\n')],
    ]
    const input = parts.flatMap(([name, text]) => (text === '' ? [] : [`${name}\n${text}`])).join('\n')
    const isHtml = context.options?.['format'] === 'html'
    return columns(
      {
        instruction: () => words.instruction(isHtml ? 'HTML' : 'Markdown'),
        input: () => input,
        output: () => answer,
      },
      { meta: [...(prompt.meta ?? []), ...(table.omitted > 0 ? ['omitted'] : [])] },
    )({ ...(record as object), omitted: table.omitted }, context)
  }
}

/** A table as the options of the dataset say. */
function written(
  rows: readonly unknown[],
  { headers = 1, keep }: { readonly headers: unknown; readonly keep: unknown },
  { options = {} }: RecordContext,
) {
  const limit = {
    ...(typeof options['rows'] === 'number' && { rows: options['rows'] }),
    ...(typeof options['characters'] === 'number' && { characters: options['characters'] }),
    ...(Array.isArray(keep) && { keep: keep.filter((row): row is number => typeof row === 'number') }),
  }
  return options['format'] === 'html'
    ? tableHtml(rows, { header: Number(headers), limit })
    : tableMarkdown(rows, { header: headers !== 0, limit })
}

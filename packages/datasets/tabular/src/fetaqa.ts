import type { Part } from '@ift/core/collection'
import { converted } from './converted.js'
import { numberOf } from './number.js'
import { tableOptions } from './options.js'
import { tablePrompt } from './prompt.js'
import { wikipediaTitle } from './title.js'

/** FeTaQA: questions over Wikipedia's tables, answered in whole sentences. Merged cells are repeated in what is published. */
export const fetaqa: Part = {
  files: ['data/fetaQA-v1_train.jsonl'],
  options: tableOptions,
  read: tablePrompt({
    table: 'table_array',
    title: wikipediaTitle('table_page_title', 'table_section_title'),
    question: 'question',
    answer: 'answer',
    keep: (record) => {
      const { highlighted_cell_ids: cells } = record as { readonly highlighted_cell_ids?: unknown }
      return Array.isArray(cells) ? cells.map((cell: unknown) => numberOf([cell].flat()[0]) - 1) : []
    },
  }),
  converted: converted('Table-Question-Answering', 'FeTaQA'),
}

import { choices, rowsOfFile, textOf, through, valueOf, type Field, type Part } from '@ift/core/collection'
import { converted } from './converted.js'
import { numberOf } from './number.js'
import { tabmcqOptions } from './options.js'
import { tablePrompt } from './prompt.js'

/** Quotes enclose what begins with one; a second one inside is none (`doublequote=False` of Python's csv module). */
const unquoted = (text: string) => text.replace(/^"([^"]*)"?/, '$1').trim()

const said = (name: string) => through(name, unquoted)

/** Rows are counted from 1, the header is none of them. */
const relevantRow: Field = (record, context) => [numberOf(valueOf(said('RELEVANT ROW'), record, context)) - 1]

const options = choices({
  fields: [1, 2, 3, 4].map((i) => said(`CHOICE ${i}`)),
  answer: said('CORRECT CHOICE'),
  by: 'number',
})

/** Places of a file of the published archive: unpacked, in its folder, or packed. */
const places = (path: string) => [path, `TabMCQ_v_1.0/${path}`, `TabMCQ_v_1.0.zip!/TabMCQ_v_1.0/${path}`]

/** TabMCQ: questions of science exams with four choices over tables of general knowledge; `auto-12` is Tables/auto/12.tsv. */
export const tabmcq: Part = {
  files: [places('MCQs.tsv')],
  quotes: false,
  options: tabmcqOptions,
  join: {
    table: rowsOfFile(
      (record, context) => {
        const found = /^(auto|monarch|regents)-(\w+)$/.exec(
          textOf(valueOf(said('RELEVANT TABLE'), record, context)) ?? '',
        )
        return found ? places(`Tables/${found[1]}/${found[2]}.tsv`) : []
      },
      { quotes: false },
    ),
  },
  read: tablePrompt({
    table: (record) =>
      (record as { readonly table?: readonly (readonly string[])[] }).table?.map((row) => row.map(unquoted)),
    question: said('QUESTION'),
    choices: options.shown,
    answer: options.text,
    keep: relevantRow,
  }),
  converted: converted('Table-Question-Answering', 'TABMCQ'),
}

import { columns, decodeBreaks, defineCollection, template, through } from '@ift/core/collection'
import { unquote } from './python-csv.js'
import { cotTasks, templates } from './templates.js'

const text = (name: string) => through(name, unquote, decodeBreaks)
const fields = { question: text('question'), answer: text('answer'), rationale: text('rationale') }

const formatted = columns({
  instruction: through('instruction', decodeBreaks),
  output: through('output', decodeBreaks),
})

/** Rows of nine FLAN tasks, each through a seeded pair of its task's templates; converted and translated files have been through one. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  cot: {
    files: cotTasks.map((task) => ({
      names: `Chain-of-Thought/origin_cot_data/${task}_train.tsv`,
      read: template(templates[task], fields),
    })),
    some: true,
    header: Object.keys(fields),
    quotes: false,
    converted: [{ names: 'Chain-of-Thought/CoT_data.json', read: formatted }],
  },
  'cot-zh': {
    files: [
      [
        'Chain-of-Thought/CoT_Chinese_data.json',
        'Chain-of-Thought/CoT_CN_data.json',
        'Chain-of-Thought/formatted_cot_data_Chinese/*.json',
      ],
    ],
    read: formatted,
  },
})

import type { TaskDefinition } from '@ift/core'
import { tabFactLabel } from '../tabular/index.js'
import { field } from './fields.js'
import { tableText } from './table-text.js'

interface Statement {
  readonly table: string
  /** Markdown. */
  readonly text: string
  readonly caption: string
  readonly statement: string
  /** 1 for entailed, 0 for refuted. */
  readonly label: 0 | 1
}

const names = ['refuted', 'entailed'] as const

/** Statements about tables of Wikipedia (Chen et al., 2020), in the layout of the hub: the table in each record, its cells divided by `#`. */
export const tabFact: TaskDefinition<Statement> = {
  name: 'tabfact',
  version: '1',
  description: 'Statements about tables, entailed or refuted.',
  source: 'https://huggingface.co/datasets/wenhu/tab_fact',
  licence: 'CC-BY-4.0',
  files: {
    items: ['test.*', '**/test-*', '**/test.*'],
    shots: ['train.*', '**/train-*', '**/train.*'],
  },
  metrics: {
    label: { description: 'the answer gives the right label', kind: 'share' },
    likelihood: { description: 'the right label is the likelier', kind: 'share' },
  },
  main: 'label',
  shots: 0,
  prompt: 'instruction',
  read(record) {
    const [statement, label] = [field(record, 'statement'), field(record, 'label')]
    if (statement === '') return 'no statement'
    if (label !== '0' && label !== '1') return 'no label'
    const lines = field(record, 'table_text').split('\n')
    const [header = [], ...rows] = lines.filter((one) => one.trim() !== '').map((one) => one.split('#'))
    if (rows.length === 0) return 'no table'
    const table = field(record, 'table_id')
    const caption = field(record, 'table_caption')
    return [{ table, text: tableText(header, rows), caption, statement, label: label === '1' ? 1 : 0 }]
  },
  render: ({ text, caption, statement }) =>
    'Is the statement entailed or refuted by the table? Answer with "entailed" or "refuted".\n\n' +
    `${caption === '' ? '' : `Table: ${caption}\n`}${text}\n\nStatement: ${statement}\nAnswer:`,
  shown: (document, context) => `${tabFact.render(document, context) as string} ${names[document.label]}`,
  choices: () => names.map((name) => ` ${name}`),
  generate: { until: ['\n\n'], maxNewTokens: 64 },
  extract(answer) {
    const label = tabFactLabel(answer)
    return label === null ? null : names[label]
  },
  score({ label }, { likelihoods: [refuted, entailed], extracted }) {
    return {
      label: extracted === names[label] ? 1 : 0,
      likelihood: refuted && entailed ? Number((label === 1) === entailed.logprob > refuted.logprob) : null,
    }
  },
  // Statements about one table are no independent draws.
  cluster: ({ table }) => (table === '' ? null : table),
}

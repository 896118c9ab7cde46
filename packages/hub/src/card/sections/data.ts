import type { CardFacts, DataSource } from '../facts.js'
import { cell, count, table } from '../names.js'

const percent = (share: number) => `${(100 * share).toFixed(1)} %`

function asked({ commercial, shareAlike, others }: DataSource): string {
  return [
    ...(commercial === false ? ['not for commercial use'] : []),
    ...(shareAlike === true ? ['share alike'] : []),
    ...others.map((who) => `terms of ${who}`),
  ].join('; ')
}

const named = ({ name, id }: DataSource) =>
  id === undefined ? cell(name) : `[${cell(name)}](https://huggingface.co/datasets/${id})`

/** What the adapter was trained on, and what the licences of it ask. */
export function dataSection({ sources, licence }: CardFacts): string | null {
  const rights = licence.text.length === 0 ? [] : ['### Licence', ...licence.text]
  if (sources.length === 0)
    return rights.length === 0
      ? null
      : ['## Data', 'The run is not recorded beside the adapter.', ...rights].join('\n\n')
  const rows = sources.map((source) => {
    const { row, license } = source
    const share = row && (row.tokenShare ?? row.share)
    return [
      named(source),
      row ? count(row.rows) : '–',
      row?.tokens == null ? '–' : count(row.tokens),
      share === null ? '–' : percent(share),
      row ? row.epochs.toFixed(2) : '–',
      license === null ? 'not stated' : cell(license),
      cell(asked(source)),
    ]
  })
  const head = ['source', 'rows', 'tokens of an epoch', 'share', 'epochs seen', 'licence', 'asks']
  const held = sources.reduce((sum, { row }) => sum + (row?.heldOut ?? 0), 0)
  return [
    '## Data',
    table(head, rows, [1, 2, 3, 4]),
    'Rows are those to train on; the share is of the tokens of an epoch.',
    ...(held > 0 ? [`${count(held)} rows were held out for validation.`] : []),
    ...rights,
  ].join('\n\n')
}

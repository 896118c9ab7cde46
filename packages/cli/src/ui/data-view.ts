import { basename } from 'node:path'
import { IftError, tokenStats, type DataReport, type Distribution, type RunData } from '@ift/core'
import { compact } from './format.js'
import { mixtureRows } from './mixture-view.js'

type Rows = [name: string, value: string][]

const share = (part: number, whole: number) => `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`

const spread = ({ min, p50, p95, max, mean }: Distribution) =>
  `${compact(mean)} on average, from ${compact(min)} to ${compact(max)}, half up to ${compact(p50)}, 95 % up to ${compact(p95)}`

const listed = (files: readonly string[]) =>
  `${files
    .slice(0, 3)
    .map((file) => basename(file))
    .join(', ')}${files.length > 3 ? ` and ${files.length - 3} more` : ''}`

/** What limits the length of a sample. */
function limitOf({ tokens, by, virtual }: RunData['limit'], maxLength: number): string {
  const behind = virtual === 0 ? '' : ` behind ${virtual} virtual ones`
  return by === 'maxLength'
    ? `maxLength (${tokens} tokens${behind})`
    : `the model's limit (${tokens} tokens${behind}; maxLength says ${maxLength})`
}

/** What of a dataset is not learned, and why: dropped, cut, held out by the names of its files. */
export function lossRows(
  { name, counts, leftOut }: RunData['datasets'][number],
  limit: RunData['limit'],
  maxLength: number,
): Rows {
  const rows: Rows = []
  if (leftOut.length > 0)
    rows.push([
      `data ${name}`,
      `held out by their names and not read: ${listed(leftOut)} (split: all reads them)`,
    ])
  const { long, untrained, filtered, truncated, cutTokens, examples } = counts
  const reasons = [
    long ? `${long} longer than ${limitOf(limit, maxLength)}` : '',
    untrained ? `${untrained} without a token to learn` : '',
    filtered ? `${filtered} by a plugin` : '',
  ].filter(Boolean)
  if (reasons.length)
    rows.push([
      `data ${name}`,
      `${long + untrained + filtered} of ${examples} examples dropped: ${reasons.join(', ')}`,
    ])
  if (truncated)
    rows.push([
      `data ${name}`,
      `${truncated} cut to ${limitOf(limit, maxLength)}, by ${compact(cutTokens)} tokens in all`,
    ])
  return rows
}

/** Numbers about the records of a file. */
export function recordRows(report: DataReport): Rows {
  const { examples, duplicates, rounds, promptCharacters, answerCharacters, scripts } = report
  const scriptsShown = Object.entries(scripts).map(([name, count]) => `${name} ${share(count, examples)}`)
  return [
    ['examples', examples.toLocaleString('en')],
    ['duplicates', `${duplicates.toLocaleString('en')} word for word (dedup: true drops them)`],
    ['rounds', spread(rounds)],
    ['question', `${spread(promptCharacters)} characters`],
    ['answer', `${spread(answerCharacters)} characters`],
    ['writing', scriptsShown.join(', ') || 'none'],
    ['system texts', share(report.withSystem, examples)],
    ['tools', share(report.withTools, examples)],
  ]
}

/** Numbers about the samples of a run. */
export function sampleRows(data: RunData, maxLength: number): Rows {
  const rows: Rows = [
    ['sequences', `${data.train.size(0)}${data.validation ? `, ${data.validation.size(0)} held out` : ''}`],
    ...(data.duplicates ? ([['duplicates', `${data.duplicates} taken out`]] as Rows) : []),
    ...mixtureRows(data.mixture),
  ]
  for (const dataset of data.datasets) {
    if (dataset.store === null) continue
    const { samples, tokens, trainedTokens, trainedShare } = tokenStats(dataset.store)
    rows.push(
      [`data ${dataset.name}`, `${samples} samples, ${compact(tokens.sum)} tokens`],
      ['  tokens', spread(tokens)],
      ['  learned', `${compact(trainedTokens.sum)} tokens, ${(100 * trainedShare).toFixed(1)} %`],
      ...lossRows(dataset, data.limit, maxLength).map(([, text]): Rows[number] => ['', text]),
    )
  }
  return rows
}

/** Data of which nothing is left to learn, with what became of it. */
export const nothingLeft = (data: RunData, maxLength: number): IftError =>
  new IftError(
    'IFT_DATA_EMPTY',
    [
      'Of the data no sample is left.',
      ...data.datasets.flatMap((one) => lossRows(one, data.limit, maxLength).map((row) => row.join(': '))),
    ].join('\n'),
    'Set data: in the config, or --data FILE; raise maxLength, or see the records: npx ift data validate FILE',
  )

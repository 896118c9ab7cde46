import {
  Ift,
  IftError,
  knownDatasets,
  localPath,
  refuseInputs,
  selectDatasets,
  writeFileAtomic,
  type SessionRequest,
  type VerbTerminal,
} from '@ift/core'
import { catalogueChart, runChart, type Chart, type ChartUnit, type RunSizes } from '../chart/chart.js'
import { chartSvg } from '../chart/svg.js'
import { chartText } from '../chart/text.js'
import { resultWidth } from '../ui/dataset-view.js'

export interface ChartRequest {
  readonly cwd: string
  /** A selection; without one the data of the config, and without that all datasets. */
  readonly query: string
  readonly by: ChartUnit
  /** SVG to write. */
  readonly output: string | undefined
  readonly json: boolean
}

/** What an epoch of the config takes of each set; entries of the same name are one. */
async function runSizes(ift: Ift): Promise<RunSizes> {
  const { data } = await ift.openData()
  const sizes = new Map<string, { rows: number; tokens: number }>()
  for (const { name, taken, tokens } of data.mixture) {
    const before = sizes.get(name) ?? { rows: 0, tokens: 0 }
    sizes.set(name, { rows: before.rows + taken, tokens: before.tokens + (tokens ?? 0) })
  }
  return sizes
}

async function chartOf(ift: Ift, { query, by }: ChartRequest): Promise<Chart> {
  const known = knownDatasets(ift)
  const isConfigured = [ift.config.data].flat().length > 0
  if (query === '' && isConfigured) return runChart(await runSizes(ift), known, by)
  const chosen = selectDatasets(known, query, { purpose: 'all' })
  // Tokens are those of a tokenizer: the config has one, and names what it reads.
  const counted = by === 'tokens' && isConfigured ? await runSizes(ift) : undefined
  const chart = catalogueChart(chosen, by, counted)
  if (chart.bars.length > 0) return chart
  throw new IftError(
    'IFT_USAGE',
    `data chart: no number of ${by} is known of ${query === '' ? 'any dataset' : query}.`,
    by === 'tokens'
      ? 'Tokens are counted of the data of the config: npx ift data chart --weights ./model --data mine.jsonl --by tokens'
      : 'npx ift data list',
  )
}

/** Shows how large datasets are beside each other, or what a run takes of its data. */
export const chartData = (
  session: SessionRequest,
  terminal: VerbTerminal,
  request: ChartRequest,
): Promise<number> =>
  Ift.using(session, async (ift) => {
    const { cwd, output, json } = request
    const chart = await chartOf(ift, request)
    if (output !== undefined) {
      const path = localPath(cwd, output)
      const entries = [ift.config.data].flat()
      const inputs = entries.flatMap((entry) => {
        const own = typeof entry === 'string' ? entry : entry.path
        return own === undefined ? [] : [{ what: 'data', path: localPath(ift.rootDir, own) }]
      })
      await refuseInputs(path, inputs)
      await writeFileAtomic(path, chartSvg(chart))
      terminal.note(`wrote ${path}`)
    }
    if (json) terminal.json(chart)
    else if (output === undefined) chartText(chart, terminal, resultWidth())
    return 0
  })

import type { LogRecord, SampledAnswer, TrainResult } from '../../contract/train.js'
import { isMixture, type MixtureRow } from '../../data/mixture/index.js'
import type { Plan } from '../plan.js'
import { answersSection } from './answers.js'
import { chart, escapeHtml, smooth, type ChartOptions, type Series } from './chart.js'
import { memorySection } from './memory.js'
import { style } from './style.js'

/** A prompt with the answer of the model. */
export interface ReportSample {
  readonly prompt: string
  readonly output: string
  readonly expected?: string
}

export interface Report {
  readonly title: string
  /** Facts of the run in the order shown: model, method, data, device, … */
  readonly facts: readonly (readonly [name: string, value: string])[]
  readonly metrics: readonly LogRecord[]
  /** What the run took of each dataset. */
  readonly mixture: readonly MixtureRow[]
  readonly samples: readonly ReportSample[]
  /** Lines of samples.jsonl. */
  readonly answers: readonly SampledAnswer[]
  /** Bytes that were planned, and those that the run could use; null where unknown. */
  readonly plan: Plan & { readonly budget: number | null }
  /** Absent while the run goes on. */
  readonly result?: TrainResult
  /** The config with every default, as YAML or JSON. */
  readonly config: string
}

const column = (metrics: readonly LogRecord[], kind: LogRecord['kind'], key: string) =>
  metrics
    .filter((record) => record.kind === kind && key in record.values)
    .map((record) => [record.step, record.values[key]!] as const)

const table = (rows: readonly (readonly [string, string])[]) =>
  `<table>${rows.map(([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`).join('')}</table>`

/** The loss of a run by its steps, and on what was held out. */
export function lossCurves(metrics: readonly LogRecord[]): ChartOptions {
  const train = column(metrics, 'train', 'loss')
  const evaluation = column(metrics, 'eval', 'loss')
  const series: Series[] = [{ name: 'each step', tone: train.length > 10 ? 'faint' : 'main', points: train }]
  if (train.length > 10) series.push({ name: 'smoothed', tone: 'main', points: smooth(train, 0.9) })
  if (evaluation.length) series.push({ name: 'validation', tone: 'mark', points: evaluation })
  return { title: 'Loss (nats per trained token)', xLabel: 'optimiser step', series }
}

const single = (metrics: readonly LogRecord[], key: string, title: string) =>
  chart({
    title,
    xLabel: 'optimiser step',
    floor: 0,
    series: [{ name: title, tone: 'main', points: column(metrics, 'train', key) }],
  })

const outcome = (result: TrainResult): (readonly [string, string])[] => [
  ['ended', result.stoppedBy === undefined ? result.reason : `${result.reason}: ${result.stoppedBy}`],
  ['steps', String(result.steps)],
  ['final loss', result.finalLoss.toFixed(4)],
  ...(result.bestEval
    ? ([
        ['best validation loss', `${result.bestEval.loss.toFixed(4)} at step ${result.bestEval.step}`],
      ] as const)
    : []),
  ['tokens', `${result.tokens.toLocaleString('en')} (${result.trainedTokens.toLocaleString('en')} trained)`],
  ['time', `${result.seconds.toFixed(1)} s`],
  ['tokens/s', (result.tokens / Math.max(result.seconds, 1e-9)).toFixed(0)],
]

const samplesSection = (samples: readonly ReportSample[]) =>
  samples.length
    ? `<section><h2>Samples</h2>${samples
        .map(
          (sample) =>
            `<article><pre class="prompt">${escapeHtml(sample.prompt)}</pre><pre>${escapeHtml(sample.output)}</pre>${
              sample.expected === undefined
                ? ''
                : `<pre class="expected">${escapeHtml(sample.expected)}</pre>`
            }</article>`,
        )
        .join('')}</section>`
    : ''

const percent = (share: number) => `${(100 * share).toFixed(1)} %`
const count = (value: number) => value.toLocaleString('en')

const mixtureColumns: readonly (readonly [title: string, cell: (row: MixtureRow) => string])[] = [
  ['set', ({ name }) => name],
  ['rows', ({ rows }) => count(rows)],
  ['an epoch', ({ taken }) => count(taken)],
  ['share', ({ share }) => percent(share)],
  ['tokens', ({ tokens }) => (tokens === null ? '–' : count(tokens))],
  ['of tokens', ({ tokenShare }) => (tokenShare === null ? '–' : percent(tokenShare))],
  ['epochs seen', ({ epochs }) => epochs.toFixed(2)],
  ['held out', ({ heldOut }) => count(heldOut)],
  ['dropped', ({ dropped }) => (dropped === null ? '–' : count(dropped))],
  ['duplicates', ({ duplicates }) => count(duplicates)],
]

const mixtureSection = (mixture: readonly MixtureRow[]) =>
  isMixture(mixture)
    ? `<section><h2>Mixture</h2><table class="columns"><tr>${mixtureColumns
        .map(([title]) => `<th>${title}</th>`)
        .join('')}</tr>${mixture
        .map(
          (row) =>
            `<tr>${mixtureColumns.map(([, cell]) => `<td>${escapeHtml(cell(row))}</td>`).join('')}</tr>`,
        )
        .join('')}</table></section>`
    : ''

/** One HTML page that needs nothing beside it: curves, facts, memory, mixture, answers, samples, config. */
export const renderReport = (report: Report): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(report.title)}</title><style>${style}</style></head>
<body><h1>${escapeHtml(report.title)}</h1>
<section class="facts">${table(report.facts)}${report.result ? table(outcome(report.result)) : ''}</section>
<section class="charts">${chart(lossCurves(report.metrics))}
${single(report.metrics, 'tokensPerSecond', 'Throughput (tokens/s)')}
${single(report.metrics, 'learningRate', 'Learning rate')}
${single(report.metrics, 'gradientNorm', 'Gradient norm before clipping')}
${single(report.metrics, 'penalty', 'Penalty of the method, part of the loss of a step')}</section>
${memorySection(report.plan, report.metrics)}
${mixtureSection(report.mixture)}
${answersSection(report.answers)}
${samplesSection(report.samples)}
<section><h2>Config</h2><pre>${escapeHtml(report.config)}</pre></section>
</body></html>
`

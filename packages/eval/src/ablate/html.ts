import { escapeHtml as text } from '@ift/core'
import type { Cell, ChangedAnswer, Number95 } from './compare.js'
import type { AblationReport } from './report.js'
import { style } from './style.js'

const count = (value: number) => value.toLocaleString('en')
const digits = (value: number) =>
  Math.abs(value) >= 100 ? value.toFixed(1) : Math.abs(value) >= 10 ? value.toFixed(2) : value.toFixed(3)
const signed = (value: number) => `${value > 0 ? '+' : value < 0 ? '−' : ''}${digits(Math.abs(value))}`
const between = ({ low, high }: Pick<Number95, 'low' | 'high'>, show = digits) =>
  low === null || high === null ? '' : `${show(low)} to ${show(high)}`
const probability = (p: number) => (p < 0.001 ? '< 0.001' : p.toFixed(3))
const time = (seconds: number) =>
  seconds < 120 ? `${seconds.toFixed(0)} s` : `${(seconds / 60).toFixed(1)} min`

type Task = AblationReport['tasks'][number]

function differenceCell({ difference }: Cell, { lowerIsBetter }: Task): string {
  if (!difference) return ''
  const { mean, low, high, adjusted, needed } = difference
  const sure = low !== null && high !== null && (low > 0 || high < 0)
  const tone = !sure ? '' : mean > 0 === !lowerIsBetter ? ' class="up"' : ' class="down"'
  const p = `<small>p ${text(probability(adjusted))}</small>`
  const more = !sure && needed !== null ? `<small>shown by ${count(needed)} items</small>` : ''
  return `<small${tone}><b>${signed(mean)}</b></small><small>${between({ low, high }, signed)}</small>${p}${more}`
}

function resultTable({ arms, tasks, cells, seeds }: AblationReport): string {
  const head = `<tr><th>run</th>${tasks.map(({ name, metric, items, lowerIsBetter }) => `<th class="n">${text(name)}<small>${text(metric)}, ${count(items)} items</small>${lowerIsBetter ? '<small>lower is better</small>' : ''}</th>`).join('')}</tr>`
  const rows = arms.map(({ name, changed }) => {
    const columns = tasks.map((task) => {
      const cell = cells.find((one) => one.arm === name && one.task === task.name)
      if (cell?.mean == null) return '<td class="n">–</td>'
      const spread = cell.seeds.filter((one) => one !== null)
      const bySeed =
        seeds.length > 1
          ? `<small>seeds ${digits(Math.min(...spread))} to ${digits(Math.max(...spread))}</small>`
          : ''
      return `<td class="n"><b>${digits(cell.mean)}</b><small>${between(cell)}</small>${bySeed}${differenceCell(cell, task)}</td>`
    })
    return `<tr><td>${text(name)}${changed.length > 0 ? `<small>${text(changed.join(', '))}</small>` : ''}</td>${columns.join('')}</tr>`
  })
  return `<div class="wide"><table class="grid">${head}${rows.join('')}</table></div>`
}

/** Differences to the whole as points with their intervals, one picture for each task. */
function differencePicture(task: Task, cells: readonly Cell[]): string {
  const found = cells.filter((cell) => cell.task === task.name && cell.difference)
  const ends = found
    .flatMap(({ difference }) => [difference!.mean, difference!.low, difference!.high])
    .filter((end) => end !== null)
  if (ends.length === 0) return ''
  const [width, row, left, right] = [360, 30, 120, 14]
  const reach = Math.max(...ends.map(Math.abs)) * 1.1 || 1
  const x = (value: number) => (left + ((value + reach) / (2 * reach)) * (width - left - right)).toFixed(1)
  const height = found.length * row + 40
  const marks = found.map(({ arm, difference }, i) => {
    const y = 18 + i * row
    const { mean, low, high } = difference!
    const bar =
      low === null || high === null
        ? ''
        : `<path class="bar" d="M${x(low)} ${y}H${x(high)}M${x(low)} ${y - 4}v8M${x(high)} ${y - 4}v8"/>`
    return `<text x="${left - 10}" y="${y + 4}" text-anchor="end">${text(arm.length > 18 ? `${arm.slice(0, 17)}…` : arm)}</text>${bar}<circle class="dot" cx="${x(mean)}" cy="${y}" r="4"/>`
  })
  const axis = [-reach / 1.1, 0, reach / 1.1].map(
    (value) => `<text x="${x(value)}" y="${height - 6}" text-anchor="middle">${signed(value)}</text>`,
  )
  const title = `${task.name}: difference of ${task.metric} to all`
  return `<figure><figcaption>${text(title)}</figcaption><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${text(title)}"><line class="zero" x1="${x(0)}" x2="${x(0)}" y1="4" y2="${height - 20}"/>${marks.join('')}${axis.join('')}</svg></figure>`
}

function groupTables({ arms, tasks, cells }: AblationReport): string {
  const tables = tasks.flatMap((task) => {
    const own = cells.filter((cell) => cell.task === task.name)
    const groups = [...new Set(own.flatMap((cell) => Object.keys(cell.groups)))].sort()
    if (groups.length === 0) return []
    const rows = arms.map(({ name }) => {
      const cell = own.find(({ arm }) => arm === name)
      const columns = groups.map((group) => {
        const found = cell?.groups[group]
        return found?.mean == null
          ? '<td class="n">–</td>'
          : `<td class="n">${digits(found.mean)}<small>${between(found)}</small></td>`
      })
      return `<tr><td>${text(name)}</td>${columns.join('')}</tr>`
    })
    const items = groups.map((group) => own[0]?.groups[group]?.n ?? 0)
    return [
      `<h3>${text(task.name)}: ${text(task.metric)}</h3><div class="wide"><table class="grid"><tr><th>run</th>${groups.map((group, i) => `<th class="n">${text(group)}<small>${count(items[i]!)} items</small></th>`).join('')}</tr>${rows.join('')}</table></div>`,
    ]
  })
  return tables.length === 0 ? '' : `<section><h2>By tag</h2>${tables.join('')}</section>`
}

function dataTable({ arms }: AblationReport): string {
  const sets = [
    ...new Set(arms.flatMap(({ runs }) => runs.flatMap(({ mixture }) => mixture.map(({ name }) => name)))),
  ]
  const rows = arms.map(({ name, runs }) => {
    const columns = sets.map((set) => {
      const row = runs[0]?.mixture.find((one) => one.name === set)
      return row
        ? `<td class="n">${row.epochs.toFixed(2)} epochs<small>${count(row.rows)} rows${row.tokens === null ? '' : `, ${count(row.tokens)} tokens`}</small></td>`
        : '<td class="n">–</td>'
    })
    return `<tr><td>${text(name)}</td>${columns.join('')}</tr>`
  })
  return `<section><h2>Data seen</h2><div class="wide"><table class="grid"><tr><th>run</th>${sets.map((set) => `<th class="n">${text(set)}</th>`).join('')}</tr>${rows.join('')}</table></div></section>`
}

function costTable({ arms, seeds }: AblationReport): string {
  const head = [
    'run',
    ...(seeds.length > 1 ? ['seed'] : []),
    'steps',
    'epochs',
    'tokens',
    'learned',
    'loss at the end',
    'training',
    'evaluation',
  ]
  const rows = arms.flatMap(({ name, runs }) =>
    runs.map((run) => {
      const cells = [
        ...(seeds.length > 1 ? [String(run.seed)] : []),
        ...[count(run.steps), run.epochs.toFixed(2), count(run.tokens), count(run.trainedTokens)],
        ...[digits(run.finalLoss), time(run.seconds), time(run.evaluation)],
      ]
      return `<tr><td>${text(name)}</td>${cells.map((cell) => `<td class="n">${cell}</td>`).join('')}</tr>`
    }),
  )
  return `<section><h2>Cost</h2><div class="wide"><table class="grid"><tr>${head.map((cell, i) => `<th${i > 0 ? ' class="n"' : ''}>${cell}</th>`).join('')}</tr>${rows.join('')}</table></div></section>`
}

function answer({ task, arm, group, question, before, after }: ChangedAnswer): string {
  const side = (name: string, { answer: said, score }: ChangedAnswer['before']) =>
    `<div><h4>${text(name)}: ${digits(score)}</h4><pre>${text(said)}</pre></div>`
  return `<article><pre class="prompt">${text(question)}</pre><div class="pair">${side('all', before)}${side(arm, after)}</div><small>${text(task)}${group === null ? '' : `, ${text(group)}`}</small></article>`
}

const equalTo = {
  steps: 'All runs have as many steps: those with less data see it more often.',
  tokens: 'All runs read as many tokens: those with less data see it more often.',
  epochs: 'All runs see their data equally often: those with less data are trained for fewer steps.',
}

/** One page that needs nothing beside it: runs by tasks with their differences, tags, data, cost, answers that changed. */
export function ablationPage(report: AblationReport): string {
  const { arms, tasks, cells, seeds, equal, changed, model, method, device, ift, finished } = report
  const title = `Ablation of ${model} · ${method}`
  const facts: readonly (readonly [string, string])[] = [
    ['model', model],
    ['method', method],
    [
      'runs',
      `${arms.length}, ${seeds.length === 1 ? `one seed (${seeds[0]})` : `${seeds.length} seeds each`}`,
    ],
    ['equal', equal],
    ['device', device],
    ['ift', `${ift}, ${finished.slice(0, 10)}`],
  ]
  const one =
    seeds.length === 1
      ? ' Each number is of one training run: how much another seed would change it is not in the interval.'
      : ''
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(title)}</title><style>${style}</style></head>
<body><h1>${text(title)}</h1>
<section class="facts"><table>${facts.map(([name, value]) => `<tr><th>${name}</th><td>${text(value)}</td></tr>`).join('')}</table></section>
<p>${equalTo[equal]} Below a number stands its 95 % interval, below that the difference to <i>all</i> on the same items, with its own interval and a p value that Holm's method adjusts for ${count(cells.filter(({ difference }) => difference !== null).length)} comparisons.${one}</p>
<section><h2>Results</h2>${resultTable(report)}<div class="charts">${tasks.map((task) => differencePicture(task, cells)).join('')}</div></section>
${groupTables(report)}
${dataTable(report)}
${costTable(report)}
${changed.length === 0 ? '' : `<section><h2>Answers that changed most</h2>${changed.map(answer).join('')}</section>`}
</body></html>
`
}

import type { VerbTerminal } from '@ift/core'
import type { EvalResults, MacroResult, MetricResult } from './results.js'

/** Groups that the terminal shows; results.json has all. */
const mostGroups = 12

const digits = (value: number) => (Math.abs(value) >= 100 ? value.toFixed(1) : value.toFixed(4))

/** `0.4200 [0.3312, 0.5142] of 100`. */
export function shownMetric(
  result: Pick<MetricResult, 'mean' | 'low' | 'high' | 'n'> & { readonly unscored?: number },
): string {
  const { mean, low, high, n, unscored = 0 } = result
  if (mean === null) return `no score of ${unscored}`
  const interval = low === null || high === null ? '' : ` [${digits(low)}, ${digits(high)}]`
  return `${digits(mean)}${interval} of ${n}${unscored > 0 ? `, ${unscored} unscored` : ''}`
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`

/** What the terminal shows of a task: means with 95 % intervals, groups, and what one should know of them. */
export function showResults(terminal: VerbTerminal, results: EvalResults, dir: string | null): void {
  const {
    task,
    metrics,
    groups,
    macro,
    answers,
    refused,
    cut,
    resumed,
    judge,
    contamination,
    data,
    against,
  } = results
  const rows: [string, string][] = Object.entries(metrics).map(([name, result]) => [
    name,
    shownMetric(result),
  ])
  for (const [name, result] of Object.entries<MacroResult>(macro))
    rows.push([`${name}, mean of ${result.groups} groups`, shownMetric(result)])
  const names = Object.keys(groups)
  for (const name of names.slice(0, mostGroups))
    rows.push([`  ${name}`, shownMetric(groups[name]![task.main]!)])
  if (names.length > mostGroups) rows.push([`  and ${names.length - mostGroups} more groups`, ''])
  terminal.table(rows, `${task.name} ${task.version}: mean [95 % interval] of items`)
  if (answers) terminal.note(`${percent(answers.share)} of ${answers.count} answers ended by themselves`)
  if (data.asked < data.items) terminal.note(`${data.asked} of ${data.items} items, evenly spread`)
  const dropped = Object.entries(data.dropped)
  if (dropped.length > 0)
    terminal.note(`no item: ${dropped.map(([reason, count]) => `${count} with ${reason}`).join(', ')}`)
  if (refused > 0) terminal.note(`${refused} prompts could not be asked; their samples say why: error`)
  if (cut > 0) terminal.note(`${cut} prompts were too long and lost their beginning`)
  if (resumed > 0) terminal.note(`${resumed} samples were there from an earlier call`)
  if (judge) {
    terminal.note(
      `judge ${judge.model}: ${judge.replies} replies, ${judge.cached} of them kept from earlier, ${judge.promptTokens + judge.replyTokens} tokens, ${percent(judge.unscored)} unscored`,
    )
    for (const [name, value] of Object.entries(judge.checks))
      if (value !== null) terminal.note(`${name}: ${digits(value)}`)
  }
  if (contamination) {
    const { items, share, rows: looked, words, characters } = contamination
    terminal.note(
      `${items.length} items (${percent(share)}) share ${words} words or ${characters} characters in a row with ${looked} rows of training data`,
    )
  }
  if (against && 'differences' in against) {
    const lines = Object.entries(against.differences).map(([name, one]): [string, string] => {
      const needed = one.needed === null ? '' : `, 80 % power at ${one.needed} items`
      return [
        name,
        `${shownMetric(one)}, p ${one.p.toPrecision(2)} (${one.adjusted.toPrecision(2)})${needed}`,
      ]
    })
    terminal.table(lines, `difference to ${against.path}, [95 % interval], p (Holm)`)
  }
  if (dir !== null) terminal.note(`results.json and samples.jsonl in ${dir}`)
}

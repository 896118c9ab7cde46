import type { CardFacts } from '../facts.js'
import { cell, count, table } from '../names.js'

const number = (value: number) => Number(value.toPrecision(4)).toString()

/** Results that lie beside the adapter or its run, each with its interval. */
export function evaluationSection({ results }: CardFacts): string | null {
  if (results.length === 0) return null
  const rows = results.flatMap(({ task, version, shots, metrics }) =>
    metrics.map(({ name, value, interval, items }) => [
      cell(version === null ? task : `${task} (version ${version})`),
      shots === null ? '–' : String(shots),
      cell(name),
      items === null ? '–' : count(items),
      number(value),
      interval === null ? '–' : `${number(interval[0])} to ${number(interval[1])}`,
    ]),
  )
  return [
    '## Evaluation',
    table(['task', 'shots', 'metric', 'items', 'result', '95 % interval'], rows, [1, 3, 4, 5]),
    'Measured by `@ift/eval`; intervals are those of the items, of one run with one seed.',
  ].join('\n\n')
}

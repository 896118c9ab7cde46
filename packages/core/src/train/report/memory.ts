import type { LogRecord } from '../../contract/train.js'
import type { Plan } from '../plan.js'
import { chart, escapeHtml } from './chart.js'

const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(2)

/** Memory of the device: the plan by its parts, beside what was in use at each step and at most. */
export function memorySection(
  plan: Plan & { readonly budget: number | null },
  metrics: readonly LogRecord[],
): string {
  const points = (key: string) =>
    metrics.flatMap(({ step, kind, values }) =>
      kind === 'train' && typeof values[key] === 'number' ? [[step, values[key] / 2 ** 30] as const] : [],
    )
  const [used, peak] = [points('memory'), points('peakMemory')]
  if (used.length === 0) return ''
  const [first, last] = [used[0]![0], used.at(-1)![0]]
  const measured = peak.reduce((most, [, value]) => Math.max(most, value), 0)
  const rows: readonly (readonly [name: string, planned: string, found: string])[] = [
    ['weights', gib(plan.weights), ''],
    ['adapter, masters, gradients, optimizer', gib(plan.training), ''],
    ['activations', gib(plan.activations), ''],
    ['workspace', gib(plan.workspace), ''],
    ['total', gib(plan.total), measured.toFixed(2)],
    ...(plan.budget === null ? [] : [['free at the start', gib(plan.budget), ''] as const]),
  ]
  const line = (tag: string, texts: readonly string[]) =>
    `<tr>${texts.map((text) => `<${tag}>${escapeHtml(text)}</${tag}>`).join('')}</tr>`
  return `<section><h2>Memory</h2><table class="columns">${line('th', ['GiB', 'planned', 'at most'])}${rows
    .map((row) => line('td', row))
    .join('')}</table><div class="charts">${chart({
    title: 'Memory (GiB)',
    xLabel: 'optimiser step',
    floor: 0,
    series: [
      { name: 'in use after a step', tone: 'faint', points: used },
      { name: 'at most', tone: 'main', points: peak },
      {
        name: 'plan',
        tone: 'mark',
        points: [
          [first, plan.total / 2 ** 30],
          [last, plan.total / 2 ** 30],
        ],
      },
    ],
  })}</div></section>`
}

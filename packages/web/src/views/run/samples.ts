import type { SampleRow } from '../../api/types.js'

/** Answers to the fixed prompts: a row for each prompt, a column for each step. */
export interface SampleTable {
  readonly steps: readonly number[]
  readonly rows: readonly {
    readonly index: number
    readonly prompt: string
    /** In the order of `steps`; null where the step has none yet. */
    readonly answers: readonly (SampleRow | null)[]
  }[]
}

/** Of several answers of one prompt at one step, as a resumed run may leave, the newest. */
export function sampleTable(samples: readonly SampleRow[]): SampleTable {
  const steps = [...new Set(samples.map(({ step }) => step))].sort((a, b) => a - b)
  const prompts = new Map<number, { prompt: string; answers: Map<number, SampleRow> }>()
  for (const sample of samples) {
    let row = prompts.get(sample.index)
    if (row === undefined) {
      row = { prompt: sample.prompt, answers: new Map() }
      prompts.set(sample.index, row)
    }
    row.answers.set(sample.step, sample)
  }
  const rows = [...prompts]
    .sort(([a], [b]) => a - b)
    .map(([index, { prompt, answers }]) => ({
      index,
      prompt,
      answers: steps.map((step) => answers.get(step) ?? null),
    }))
  return { steps, rows }
}

/** Columns that are shown of so many: all, or the first, the middle and the newest. */
export function shownColumns(count: number, all: boolean): number[] {
  if (all || count <= 3) return Array.from({ length: count }, (_, i) => i)
  return [0, count >> 1, count - 1]
}

/** Whether an answer is that of the column before, among those that are shown. */
export function asBefore(
  answers: readonly (SampleRow | null)[],
  shown: readonly number[],
  place: number,
): boolean {
  const now = answers[shown[place]!]
  const before = place === 0 ? null : answers[shown[place - 1]!]
  return now != null && before != null && now.answer === before.answer
}

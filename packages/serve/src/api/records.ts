import type { MetricLine, SampleRow } from './types.js'

/** A line of metrics.jsonl. */
export interface Metric extends MetricLine {
  readonly kind: 'train' | 'eval'
}

const parsed = (line: string | null): Readonly<Record<string, unknown>> | null => {
  try {
    const value = JSON.parse(line ?? '') as unknown
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

/** Columns of a line, at most: plugins measure some. */
const mostColumns = 64

/** A line of metrics.jsonl; null for one that is none. */
export function metricOf(line: string | null): Metric | null {
  const { step, kind, values } = parsed(line) ?? {}
  if (typeof step !== 'number' || (kind !== 'train' && kind !== 'eval')) return null
  if (typeof values !== 'object' || values === null) return null
  const own: Record<string, number | null> = {}
  for (const [name, value] of Object.entries(values).slice(0, mostColumns))
    own[name] = typeof value === 'number' ? value : null
  return { step, kind, values: own }
}

/** A line of samples.jsonl; null for one that is none. */
export function sampleOf(line: string | null): SampleRow | null {
  const { step, index, prompt, answer, ended, tokens, expected } = parsed(line) ?? {}
  if (typeof step !== 'number' || typeof index !== 'number') return null
  if (typeof prompt !== 'string' || typeof answer !== 'string') return null
  return {
    ...{ step, index, prompt, answer },
    ended: ended === 'length' || ended === 'error' ? ended : 'end',
    tokens: typeof tokens === 'number' ? tokens : 0,
    expected: typeof expected === 'string' ? expected : null,
  }
}

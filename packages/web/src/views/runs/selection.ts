import { signal } from '@preact/signals'
import { place, type SeriesNumber } from '../../components/chart/series.js'

/** Runs that are overlaid, in the order of their selection: the first is the reference. Kept while the page is open. */
export const selected = signal<ReadonlyMap<string, SeriesNumber>>(new Map())

/** Selects a run, or clears it; false where there is no place left. */
export function toggle(id: string): boolean {
  const now = selected.value
  if (now.has(id)) {
    selected.value = new Map([...now].filter(([each]) => each !== id))
    return true
  }
  const next = place(now, id)
  if (next === null) return false
  selected.value = next
  return true
}

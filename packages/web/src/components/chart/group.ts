import { signal, type Signal } from '@preact/signals'

/** What the charts of a view have in common: crosshair, and the part of the x axis that is shown. */
export interface ChartGroup {
  /** Name under which uPlot shares the crosshair. */
  readonly key: string
  /** First and last x that are shown; null for all. */
  readonly zoom: Signal<readonly [number, number] | null>
}

let made = 0

export const chartGroup = (): ChartGroup => ({ key: `charts-${made++}`, zoom: signal(null) })

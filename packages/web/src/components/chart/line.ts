import type { SeriesNumber } from './series.js'
import { lowerBound, type Points } from './thin.js'

/** How a line is drawn. */
export type Look =
  /** 2.2 wide, with the dash of its series. */
  | 'line'
  /** 1.2 wide at half strength: each step, below its smoothed line. */
  | 'faint'
  /** Rings with a dotted line: validation. */
  | 'rings'
  /** Filled to the axis. */
  | 'area'
  /** The part to come, dashed in ink. */
  | 'planned'

/** A line of a chart. */
export interface Line {
  readonly key: string
  /** In legends, cards and tables. */
  readonly name: string
  readonly points: Points
  readonly series: SeriesNumber
  readonly look: Look
  /** Whether its newest value is written at the right end; by this name. */
  readonly end?: string
}

/** A horizontal line with its name: a plan. */
export interface Reference {
  readonly value: number
  readonly text: string
}

/** Place of the newest finite value; −1 where there is none. */
export function newestOf({ y }: Points): number {
  let i = y.length - 1
  while (i >= 0 && !Number.isFinite(y[i]!)) i--
  return i
}

/** Value of a line at an x; null where it has no point there. */
export function valueAt({ x, y }: Points, at: number): number | null {
  const i = lowerBound(x, at)
  return i < x.length && x[i] === at ? y[i]! : null
}

/** All x of several lines, in order, once each: rows of the table of points. */
export function rowsOf(lines: readonly Line[]): number[] {
  const all = new Set<number>()
  for (const { points } of lines) for (let i = 0; i < points.x.length; i++) all.add(points.x[i]!)
  return [...all].sort((a, b) => a - b)
}

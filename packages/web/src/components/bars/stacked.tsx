import type { SeriesNumber } from '../chart/series.js'
import './bars.css'

/** A part of a bar. */
export interface Part {
  readonly name: string
  readonly value: number
  readonly series: SeriesNumber
}

/** The series of the n-th of several parts; beyond six they share the last. */
export const seriesAt = (index: number): SeriesNumber => Math.min(6, index + 1) as SeriesNumber

/** A bar of parts beside each other, relative to `whole` or to their sum: 2 px of surface between them, never text inside. */
export function StackedBar({
  label,
  parts,
  whole,
  state,
  height = 18,
}: {
  readonly label: string
  readonly parts: readonly Part[]
  readonly whole?: number
  /** `over`: more than there is. */
  readonly state?: 'over' | undefined
  readonly height?: number
}) {
  const sum = parts.reduce((all, { value }) => all + value, 0)
  const all = Math.max(whole ?? sum, sum, Number.MIN_VALUE)
  return (
    <div
      class={state === 'over' ? 'bars-stacked bars-over' : 'bars-stacked'}
      role="img"
      aria-label={label}
      style={{ height: `${height}px` }}
    >
      {parts
        .filter(({ value }) => value > 0)
        .map(({ name, value, series }) => (
          <span
            key={name}
            title={name}
            class={`bars-part bars-series-${series}`}
            style={{ flexBasis: `${(100 * value) / all}%` }}
          />
        ))}
    </div>
  )
}

/** A square in the colour of a series. */
export function Swatch({ series }: { readonly series: SeriesNumber }) {
  return <span class={`bars-swatch bars-series-${series}`} aria-hidden="true" />
}

/** Bars above each other over one scale: planned and measured. */
export function PairBar({
  planned,
  measured,
  whole,
}: {
  readonly planned: number | null
  readonly measured: number | null
  readonly whole: number
}) {
  const width = (value: number | null) =>
    `${Math.max(0, Math.min(100, (100 * (value ?? 0)) / Math.max(whole, 1e-9)))}%`
  return (
    <span class="bars-pair" aria-hidden="true">
      <span class="bars-planned" style={{ width: width(planned) }} />
      <span class="bars-series-1" style={{ width: width(measured) }} />
    </span>
  )
}

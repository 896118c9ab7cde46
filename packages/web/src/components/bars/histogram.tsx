import { useEffect, useRef, useState } from 'preact/hooks'
import { whole } from '../../format/numbers.js'
import { ticks } from '../chart/scale.js'
import { spanOf, type Bin } from './bins.js'
import { seriesAt } from './stacked.js'
import { text } from './text.js'
import './bars.css'

/** Multiples of a length up to the longest, four or fewer. */
const marksOf = (longest: number, every: number): number[] => {
  const step = every * Math.max(1, Math.ceil(longest / every / 4))
  return Array.from({ length: Math.floor(longest / step) + 1 }, (_, i) => i * step)
}

/** Bars of lengths by source. A click takes one, a drag several; arrows and Enter do the same. */
export function Histogram({
  name,
  bins,
  selected,
  mark,
  height,
  every,
  onSelect,
}: {
  readonly name: string
  readonly bins: readonly Bin[]
  readonly selected: { readonly from: number; readonly to: number } | null
  /** A length that a line stands at, with its words. */
  readonly mark: { readonly at: number; readonly title: string; readonly note: string } | null
  readonly height: number
  /** Tokens between marks of the axis. */
  readonly every: number
  readonly onSelect: (span: { from: number; to: number } | null) => void
}) {
  const host = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(280)
  const [drag, setDrag] = useState<{ first: number; last: number } | null>(null)
  const [focused, setFocused] = useState(0)
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      setWidth(Math.round(entry!.contentRect.width))
    })
    observer.observe(host.current!)
    return () => {
      observer.disconnect()
    }
  }, [])
  const words = text()
  const left = 40
  const [top, bottom] = [8, 20]
  const inner = { width: Math.max(10, width - left - 14), height: height - top - bottom }
  const most = Math.max(1, ...bins.map(({ total }) => total))
  const longest = bins.at(-1)?.to ?? 1
  const x = (tokens: number) => left + (inner.width * tokens) / longest
  const y = (rows: number) => top + inner.height * (1 - rows / (most * 1.05))
  const shown = drag === null ? selected : spanOf(bins, drag.first, drag.last)
  const binAt = (event: PointerEvent) => {
    const { left: from } = host.current!.getBoundingClientRect()
    return Math.floor(((event.clientX - from - left) / inner.width) * bins.length)
  }
  const at = Math.min(focused, bins.length - 1)
  return (
    <div class="bars-histogram" ref={host}>
      <svg
        width={width}
        height={height}
        role="slider"
        tabindex={0}
        aria-label={words.histogram(name)}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, bins.length - 1)}
        aria-valuenow={Math.max(0, at)}
        aria-valuetext={bins[at] ? words.rows(whole(bins[at].total), bins[at].from, bins[at].to) : ''}
        onPointerDown={(event: PointerEvent) => {
          ;(event.currentTarget as Element).setPointerCapture(event.pointerId)
          setDrag({ first: binAt(event), last: binAt(event) })
        }}
        onPointerMove={(event: PointerEvent) => {
          if (drag !== null) setDrag({ ...drag, last: binAt(event) })
        }}
        onPointerUp={() => {
          if (drag === null) return
          const span = spanOf(bins, drag.first, drag.last)
          const again = span?.from === selected?.from && span?.to === selected?.to
          setDrag(null)
          onSelect(again ? null : span)
        }}
        onPointerCancel={() => setDrag(null)}
        onKeyDown={(event: KeyboardEvent) => {
          const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
          if (step !== undefined) setFocused(Math.max(0, Math.min(bins.length - 1, at + step)))
          else if (event.key === 'Enter' || event.key === ' ') onSelect(spanOf(bins, at, at))
          else if (event.key === 'Escape' && selected !== null) onSelect(null)
          else return
          event.preventDefault()
        }}
      >
        {ticks(0, most * 1.05, 3, true).map((rows) => (
          <g key={rows}>
            <line
              x1={left}
              x2={width - 14}
              y1={y(rows)}
              y2={y(rows)}
              class={rows === 0 ? 'bars-zero' : 'bars-grid'}
            />
            <text x={left - 8} y={y(rows) + 4} text-anchor="end">
              {whole(rows)}
            </text>
          </g>
        ))}
        {marksOf(longest, every).map((tokens) => (
          <text key={tokens} x={x(tokens)} y={height - 4} text-anchor="middle">
            {whole(tokens)}
          </text>
        ))}
        {bins.map(({ from, to, counts }) => {
          let below = 0
          const inside = shown === null || (from >= shown.from && to <= shown.to)
          const over = mark !== null && from >= mark.at
          return (
            <g key={from} opacity={!inside ? 0.25 : over ? 0.55 : 1}>
              {counts.map((count, source) => {
                const base = below
                below += count
                return count === 0 ? null : (
                  <rect
                    key={source}
                    class={`bars-fill-${seriesAt(source)}`}
                    x={x(from) + 0.5}
                    width={Math.max(1, x(to) - x(from) - 1)}
                    y={y(below)}
                    height={Math.max(0.5, y(base) - y(below))}
                  />
                )
              })}
            </g>
          )
        })}
        {bins[at] && (
          <rect
            class="bars-focus"
            x={x(bins[at].from)}
            width={Math.max(1, x(bins[at].to) - x(bins[at].from))}
            y={top}
            height={inner.height}
          />
        )}
        {mark !== null && mark.at <= longest && (
          <>
            <line x1={x(mark.at)} x2={x(mark.at)} y1={0} y2={top + inner.height} class="bars-mark" />
            <g transform={`translate(${x(mark.at) > width * 0.62 ? x(mark.at) - 6 : x(mark.at) + 6} 12)`}>
              <text class="bars-mark-title" text-anchor={x(mark.at) > width * 0.62 ? 'end' : 'start'}>
                {mark.title}
              </text>
              <text y="15" text-anchor={x(mark.at) > width * 0.62 ? 'end' : 'start'}>
                {mark.note}
              </text>
            </g>
          </>
        )}
      </svg>
    </div>
  )
}

import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import 'uplot/dist/uPlot.min.css'
import { language } from '../../app/language.js'
import { shownTheme } from '../../app/theme.js'
import { chartGroup, type ChartGroup } from './group.js'
import { newestOf, valueAt, type Line, type Reference } from './line.js'
import { PointTable } from './point-table.js'
import { Plot, type PlotData } from './plot.js'
import { dashOf } from './series.js'
import { text } from './text.js'
import './chart.css'

export interface ChartProps {
  /** What is drawn, in words: `Loss, nats per trained token`. */
  readonly name: string
  readonly lines: readonly Line[]
  /** What the x axis counts, at a value: `Step 12`. */
  readonly xName: (x: string) => string
  readonly value: (y: number | null) => string
  readonly xText: (x: number) => string
  readonly height: number
  readonly group?: ChartGroup
  readonly planned?: number | null
  readonly floor?: number | null
  readonly log?: boolean
  readonly reference?: Reference | undefined
  readonly ends?: number
  readonly wholeX?: boolean
  readonly mostYTicks?: number
  readonly mostXTicks?: number
  /** Beside the x of the card: tokens up to there. */
  readonly beside?: (x: number) => string | null
}

/** Width of the element of a ref, as it changes. */
function useWidth(element: { readonly current: HTMLElement | null }, on: (width: number) => void): void {
  useEffect(() => {
    const node = element.current
    if (node === null) return
    const observer = new ResizeObserver(([entry]) => {
      on(entry!.contentRect.width)
    })
    observer.observe(node)
    return () => {
      observer.disconnect()
    }
  }, [element.current])
}

/** Lines over steps, tokens or time, with a crosshair that the charts of a group share. */
export function Chart(props: ChartProps) {
  const { name, lines, value, xText, xName, height, log = false, group: given, beside } = props
  const own = useMemo(chartGroup, [])
  const group = given ?? own
  const [asTable, setAsTable] = useState(false)
  const [pointer, setPointer] = useState<{ x: number; left: number; top: number } | null>(null)
  const host = useRef<HTMLDivElement>(null)
  const plot = useRef<Plot | null>(null)
  const words = text()
  const data: PlotData = {
    lines,
    reference: props.reference,
    planned: props.planned ?? null,
    floor: props.floor ?? null,
    ends: props.ends ?? 0,
    value,
    xText,
    wholeX: props.wholeX ?? true,
    mostYTicks: props.mostYTicks ?? 4,
    mostXTicks: props.mostXTicks ?? 6,
  }
  const newest = useRef(data)
  newest.current = data

  useEffect(() => {
    const node = host.current
    if (node === null) return
    const made = new Plot(node, newest.current, { group, log, height, onPointer: setPointer })
    plot.current = made
    made.resize(node.clientWidth)
    let isFirst = true
    const stop = group.zoom.subscribe(() => {
      // A subscription begins with the value that there is.
      if (!isFirst) made.refresh()
      isFirst = false
    })
    return () => {
      stop()
      made.destroy()
      plot.current = null
    }
  }, [log, height, group, asTable])
  useWidth(host, (width) => plot.current?.resize(width))
  const theme = shownTheme.value
  const drawn = useRef('')
  useEffect(() => {
    const now = `${theme} ${language.value}`
    if (drawn.current !== '' && drawn.current !== now) plot.current?.refresh()
    drawn.current = now
  }, [theme, language.value])
  useEffect(() => plot.current?.show(data))

  const withEnd = lines.filter(({ points }) => newestOf(points) >= 0)
  const spoken = withEnd.map((line) => `${line.name} ${value(line.points.y[newestOf(line.points)]!)}`)
  const last = Math.max(...withEnd.map(({ points }) => points.x[newestOf(points)]!))
  const label =
    spoken.length === 0 ? `${name}: ${words.empty}` : `${name}: ${spoken.join(', ')}, ${xName(xText(last))}`
  return (
    <div class="chart">
      {asTable ? (
        <PointTable name={name} lines={lines} value={value} xText={xText} xName={xName('')} height={height} />
      ) : (
        <div class="chart-plot" style={{ height: `${height}px` }} role="img" aria-label={label} ref={host}>
          {spoken.length === 0 && <span class="chart-empty">{words.empty}</span>}
        </div>
      )}
      {pointer !== null && !asTable && (
        <Card pointer={pointer} width={host.current?.clientWidth ?? 0} height={height}>
          <div class="chart-card-head">
            <b>{xName(xText(pointer.x))}</b>
            <span>{beside?.(pointer.x)}</span>
          </div>
          {lines
            .filter(({ look }) => look !== 'planned')
            .flatMap((line) => {
              const at = valueAt(line.points, pointer.x)
              return at === null
                ? []
                : [
                    <div class="chart-card-row" key={line.key}>
                      <span>{line.name}</span>
                      <b>{Number.isFinite(at) ? value(at) : words.notFinite}</b>
                    </div>,
                  ]
            })}
        </Card>
      )}
      <button
        type="button"
        class="chart-table-switch"
        onClick={() => {
          setPointer(null)
          setAsTable(!asTable)
        }}
        aria-label={`${name}: ${asTable ? words.asChart : words.asTable}`}
      >
        {asTable ? words.asChart : words.asTable}
      </button>
    </div>
  )
}

const cardWidth = 176

/** Values at the pointer; on its other side near an edge. */
function Card({
  pointer,
  width,
  height,
  children,
}: {
  readonly pointer: { left: number; top: number }
  readonly width: number
  readonly height: number
  readonly children: preact.ComponentChildren
}) {
  const flipsX = pointer.left + 12 + cardWidth > width
  const flipsY = pointer.top > height / 2
  return (
    <div
      class="chart-card"
      aria-hidden="true"
      style={{
        width: `${cardWidth}px`,
        left: `${Math.max(0, flipsX ? pointer.left - 12 - cardWidth : pointer.left + 12)}px`,
        ...(flipsY ? { bottom: `${height - pointer.top + 8}px` } : { top: `${pointer.top + 8}px` }),
      }}
    >
      {children}
    </div>
  )
}

/** A legend in words, for the head of a panel. */
export function Legend({
  lines,
}: {
  readonly lines: readonly Pick<Line, 'key' | 'name' | 'series' | 'look'>[]
}) {
  return (
    <span class="chart-legend">
      {lines.map(({ key, name, series, look }) => (
        <span key={key} class="chart-legend-item">
          <Stroke series={series} look={look} />
          {name}
        </span>
      ))}
    </span>
  )
}

/** A piece of a line, as charts draw it. */
export function Stroke({ series, look }: Pick<Line, 'series' | 'look'>) {
  if (look === 'rings')
    return (
      <svg class="chart-stroke" width="12" height="12" aria-hidden="true">
        <circle cx="6" cy="6" r="3.5" fill="none" stroke={`var(--series-${series})`} stroke-width="2" />
      </svg>
    )
  const dashes = dashOf(series).join(' ')
  return (
    <svg class="chart-stroke" width="20" height="12" aria-hidden="true">
      <line
        x1="0"
        x2="20"
        y1="6"
        y2="6"
        stroke={`var(--series-${series})`}
        stroke-width={look === 'faint' ? 1.2 : 2.2}
        stroke-dasharray={look === 'faint' ? '' : dashes}
        opacity={look === 'faint' ? 0.5 : 1}
      />
    </svg>
  )
}

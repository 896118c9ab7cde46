import uPlot from 'uplot'
import { paced } from './paced.js'
import { spread } from './ends.js'
import type { ChartGroup } from './group.js'
import { newestOf, type Line, type Reference } from './line.js'
import { linearRange, logRange, logTicks, roundTop, stepTicks, tickTexts, ticks } from './scale.js'
import { colourOf, dashOf } from './series.js'
import { align, gapsOf, thin } from './thin.js'

/** What a plot shows. */
export interface PlotData {
  readonly lines: readonly Line[]
  readonly reference?: Reference | undefined
  /** The planned last x: the axis goes that far, and the part to come is shaded. */
  readonly planned: number | null
  /** First value of the y axis; null: from the data. */
  readonly floor: number | null
  /** Room for values at the right end. */
  readonly ends: number
  readonly value: (y: number) => string
  readonly xText: (x: number) => string
  /** Steps are whole. */
  readonly wholeX: boolean
  readonly mostYTicks: number
  readonly mostXTicks: number
}

export interface PlotOptions {
  readonly group: ChartGroup
  readonly log: boolean
  readonly height: number
  /** The crosshair lies at an x, so many pixels from left and top of the element; null when it is elsewhere. */
  readonly onPointer: (pointer: { x: number; left: number; top: number } | null) => void
}

const widths = { line: 2.2, faint: 1.2, rings: 1.6, area: 2, planned: 1.4 } as const

/** As a number: the enumeration of uPlot's types is none at run time. */
const logarithmic = { distr: 3 } as const

/** Marks beside an axis: 11 px, as captions. */
const font = () => `500 11px ${getComputedStyle(document.body).fontFamily}`
const boldFont = () => `600 12px ${getComputedStyle(document.body).fontFamily}`

/** A colour of the theme that is shown. */
const token = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/** Whether two data draw the same picture: points are compared by their arrays. */
const isDrawnSame = (a: PlotData, b: PlotData): boolean =>
  a.lines.length === b.lines.length &&
  a.lines.every((line, i) => {
    const other = b.lines[i]!
    const { points } = other
    return (
      line.points.x === points.x &&
      line.points.y === points.y &&
      line.points.x.length === points.x.length &&
      (['key', 'series', 'look', 'end'] as const).every((field) => line[field] === other[field])
    )
  }) &&
  a.reference?.value === b.reference?.value &&
  (['planned', 'floor', 'ends'] as const).every((field) => a[field] === b[field])

/** Canvas of a chart: uPlot with the marks, shades and ends of this page. Draws at most four times a second. */
export class Plot {
  readonly #element: HTMLElement
  readonly #options: PlotOptions
  readonly #paced = paced(() => {
    this.#draw()
  })
  #plot: uPlot | null = null
  #data: PlotData
  /** Looks of the lines that the plot was made with: others need a new one. */
  #made = ''
  #width = 0

  constructor(element: HTMLElement, data: PlotData, options: PlotOptions) {
    this.#element = element
    this.#data = data
    this.#options = options
  }

  /** Shows other data, at once or within a quarter of a second. */
  show(data: PlotData): void {
    const before = this.#data
    this.#data = data
    if (!isDrawnSame(before, data)) this.#paced.ask()
  }

  /** Draws at another width. */
  resize(width: number): void {
    const next = Math.round(width)
    if (next === this.#width) return
    this.#width = next
    this.#draw()
  }

  /** Draws anew at once: after a change of zoom, theme or language. */
  refresh(): void {
    this.#draw()
  }

  destroy(): void {
    this.#paced.stop()
    this.#plot?.destroy()
    this.#plot = null
  }

  /** Small charts from zero have a tick at the top and one in the middle. */
  #isHalved(): boolean {
    return this.#data.floor === 0 && this.#data.mostYTicks <= 2
  }

  /** x of what is shown. */
  #range(): [number, number] {
    const zoom = this.#options.group.zoom.value
    if (zoom !== null) return [...zoom]
    let [from, to] = [Infinity, -Infinity]
    for (const { points } of this.#data.lines) {
      if (points.x.length === 0) continue
      from = Math.min(from, points.x[0]!)
      to = Math.max(to, points.x[points.x.length - 1]!)
    }
    const last = Math.max(this.#data.planned ?? -Infinity, to)
    if (!Number.isFinite(last)) return [0, 1]
    // A run begins at 0, whatever its first line is.
    const first = Math.min(0, from)
    return last > first ? [first, last] : [first, first + 1]
  }

  #aligned(): uPlot.AlignedData {
    const [from, to] = this.#range()
    const pixels = Math.max(1, this.#width)
    const log = this.#options.log
    const drawn = this.#data.lines.map(({ points }) => {
      const line = thin(points, from, to, pixels)
      // What has no logarithm is a gap.
      return log ? { x: line.x, y: line.y.map((value) => (value > 0 ? value : Number.NaN)) } : line
    })
    return align(drawn)
  }

  #draw(): void {
    if (this.#width < 40) return
    const { lines, ends } = this.#data
    const looks = JSON.stringify([lines.map(({ key, series, look }) => [key, series, look]), ends])
    if (this.#plot === null || looks !== this.#made) {
      this.#plot?.destroy()
      this.#made = looks
      this.#plot = new uPlot(this.#uplotOptions(), this.#aligned(), this.#element)
      return
    }
    const plot = this.#plot
    if (plot.width !== this.#width) plot.setSize({ width: this.#width, height: this.#options.height })
    plot.batch(() => {
      plot.setData(this.#aligned(), false)
      const [min, max] = this.#range()
      plot.setScale('x', { min, max })
    })
  }

  #uplotOptions(): uPlot.Options {
    const { group, log, height, onPointer } = this.#options
    const range = () => this.#range()
    const shown = () => this.#data
    const isHalved = () => this.#isHalved()
    const axis = { font: font(), ticks: { show: false }, stroke: () => token('--ink-3') }
    return {
      width: this.#width,
      height,
      padding: [8, this.#data.ends + 8, 0, 0],
      legend: { show: false },
      scales: {
        x: { time: false, range: () => range() },
        y: {
          ...(log && logarithmic),
          range: (_, min, max) => {
            const { reference, floor } = shown()
            // The line of a plan is in the picture.
            const top = reference === undefined ? max : Math.max(max, reference.value)
            if (log) return logRange(min, top)
            return isHalved() ? [0, roundTop(top)] : linearRange(min, top, floor)
          },
        },
      },
      axes: [
        {
          ...axis,
          size: 22,
          gap: 4,
          grid: { show: false },
          splits: (_, __, from, to) => (shown().wholeX ? stepTicks : ticks)(from, to, shown().mostXTicks),
          values: (_, splits) => splits.map((x) => shown().xText(x)),
        },
        {
          ...axis,
          size: (_, values) =>
            14 + 6.6 * Math.max(2, ...((values as string[] | null) ?? []).map((text) => text.length)),
          gap: 6,
          grid: { stroke: () => token('--line'), width: 1 },
          splits: (_, __, from, to) =>
            log
              ? logTicks(from, to, shown().mostYTicks)
              : isHalved()
                ? [0, to / 2, to]
                : ticks(from, to, shown().mostYTicks),
          values: (_, splits) => tickTexts(splits),
        },
      ],
      series: [{}, ...this.#data.lines.map((line) => seriesOf(line))],
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: true, y: false, setScale: false, dist: 4 },
        sync: { key: group.key, setSeries: false, scales: ['x', null] },
        bind: {
          dblclick: () => () => {
            group.zoom.value = null
            return null
          },
        },
      },
      hooks: {
        drawClear: [(u) => this.#shade(u)],
        draw: [(u) => this.#marks(u)],
        setCursor: [
          (u) => {
            const { idx, left, top } = u.cursor
            if (idx == null || left === undefined || left < 0 || !u.over.matches(':hover')) {
              onPointer(null)
              return
            }
            onPointer({
              x: u.data[0][idx]!,
              left: left + u.over.offsetLeft,
              top: (top ?? 0) + u.over.offsetTop,
            })
          },
        ],
        setSelect: [
          (u) => {
            const { left, width } = u.select
            if (width < 5) return
            const [from, to] = [u.posToVal(left, 'x'), u.posToVal(left + width, 'x')]
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
            group.zoom.value = [from, to]
          },
        ],
      },
    }
  }

  /** The part of the run that is yet to come. */
  #shade(u: uPlot): void {
    const { planned, lines } = this.#data
    if (planned === null) return
    const newest = Math.max(
      0,
      ...lines
        .filter(({ look }) => look !== 'planned')
        .map(({ points }) => points.x[points.x.length - 1] ?? 0),
    )
    if (newest >= planned) return
    const { left, top, width, height } = u.bbox
    const from = Math.max(left, u.valToPos(newest, 'x', true))
    const to = Math.min(left + width, u.valToPos(planned, 'x', true))
    if (to <= from) return
    u.ctx.save()
    u.ctx.fillStyle = token('--sunken')
    u.ctx.fillRect(from, top, to - from, height)
    u.ctx.restore()
  }

  /** The zero line, plan, gaps and newest values. */
  #marks(u: uPlot): void {
    const { ctx, bbox } = u
    const ratio = uPlot.pxRatio
    const [right, bottom] = [bbox.left + bbox.width, bbox.top + bbox.height]
    ctx.save()
    ctx.setLineDash([])
    ctx.lineWidth = ratio
    ctx.strokeStyle = token('--edge')
    ctx.beginPath()
    ctx.moveTo(bbox.left, bottom)
    ctx.lineTo(right, bottom)
    ctx.stroke()
    this.#reference(u, ratio)
    this.#gaps(u, ratio, bottom)
    if (this.#data.ends > 0) this.#ends(u, ratio, right)
    ctx.restore()
  }

  #reference(u: uPlot, ratio: number): void {
    const { reference } = this.#data
    if (reference === undefined) return
    const { ctx, bbox } = u
    const y = u.valToPos(reference.value, 'y', true)
    if (y < bbox.top || y > bbox.top + bbox.height) return
    ctx.strokeStyle = token('--ink-2')
    ctx.setLineDash([4 * ratio, 4 * ratio])
    ctx.beginPath()
    ctx.moveTo(bbox.left, y)
    ctx.lineTo(bbox.left + bbox.width, y)
    ctx.stroke()
    ctx.setLineDash([])
    ctx.fillStyle = token('--ink-2')
    ctx.font = scaled(font(), ratio)
    ctx.textAlign = 'right'
    ctx.textBaseline = 'bottom'
    ctx.fillText(reference.text, bbox.left + bbox.width, y - 3 * ratio)
  }

  /** Points that are not finite: a mark on the axis. */
  #gaps(u: uPlot, ratio: number, bottom: number): void {
    const { ctx, bbox } = u
    ctx.fillStyle = token('--error')
    for (const { points } of this.#data.lines)
      for (const x of gapsOf(points).slice(-200)) {
        const at = u.valToPos(x, 'x', true)
        if (at < bbox.left || at > bbox.left + bbox.width) continue
        ctx.beginPath()
        ctx.moveTo(at - 4 * ratio, bottom)
        ctx.lineTo(at + 4 * ratio, bottom)
        ctx.lineTo(at, bottom - 7 * ratio)
        ctx.fill()
      }
  }

  /** Newest values at the right end, with a leader from the end of their line. */
  #ends(u: uPlot, ratio: number, right: number): void {
    const { ctx, bbox } = u
    const [from, to] = this.#range()
    const labels = this.#data.lines.flatMap((line) => {
      const i = newestOf(line.points)
      if (line.end === undefined || i < 0) return []
      const [x, y] = [line.points.x[i]!, line.points.y[i]!]
      // A zoomed chart says where lines leave it only when their ends are in it.
      return x < from || x > to ? [] : [{ line, x, y }]
    })
    const oneLine = labels.length > 2
    const places = spread(
      labels.map(({ y }) => u.valToPos(y, 'y', true)),
      (oneLine ? 16 : 30) * ratio,
      bbox.top + 7 * ratio,
      bbox.top + bbox.height - (oneLine ? 7 : 18) * ratio,
    )
    labels.forEach(({ line, x, y }, i) => {
      const [endX, endY] = [u.valToPos(x, 'x', true), u.valToPos(y, 'y', true)]
      const place = places[i]!
      ctx.strokeStyle = token(colourOf(line.series))
      ctx.lineWidth = 1.4 * ratio
      ctx.setLineDash([2 * ratio, 3 * ratio])
      ctx.beginPath()
      ctx.moveTo(endX, endY)
      ctx.lineTo(Math.max(endX, right - 2 * ratio), endY)
      ctx.lineTo(right + 6 * ratio, place)
      ctx.stroke()
      ctx.setLineDash([])
      ctx.textAlign = 'left'
      ctx.textBaseline = 'middle'
      ctx.fillStyle = token('--ink')
      ctx.font = scaled(boldFont(), ratio)
      const figure = this.#data.value(y)
      ctx.fillText(figure, right + 10 * ratio, place)
      const width = ctx.measureText(figure).width
      ctx.fillStyle = token('--ink-2')
      ctx.font = scaled(font(), ratio)
      if (oneLine) ctx.fillText(line.end!, right + 15 * ratio + width, place)
      else ctx.fillText(line.end!, right + 10 * ratio, place + 14 * ratio)
    })
  }
}

/** A font of so many device pixels. */
const scaled = (text: string, ratio: number) =>
  text.replace(/(\d+)px/, (_, size: string) => `${Number(size) * ratio}px`)

function seriesOf({ series, look }: Line): uPlot.Series {
  const colour = () => token(look === 'planned' ? '--ink-2' : colourOf(series))
  const dash = look === 'rings' ? [1, 4] : look === 'planned' ? [4, 4] : dashOf(series)
  return {
    stroke: colour,
    width: widths[look],
    cap: look === 'rings' ? 'round' : 'butt',
    ...(look === 'faint' && { alpha: 0.5 }),
    // Each step has the dash of its smoothed line only where it stands alone.
    ...(look !== 'faint' && dash.length > 0 && { dash: [...dash] }),
    ...(look === 'area' && { fill: () => `${token(colourOf(series))}1f` }),
    points:
      look === 'rings'
        ? { show: true, size: 8, width: 2, stroke: colour, fill: () => token('--surface') }
        : // A line of one point would not show.
          {
            show: (u, i) => Array.from(u.data[i] ?? []).filter((value) => value != null).length === 1,
            size: 5,
            fill: colour,
          },
  }
}

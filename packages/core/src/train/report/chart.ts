import { imageStyle } from './style.js'

/** A line of a chart; x ascending. */
export interface Series {
  readonly name: string
  /** CSS class that colours it. */
  readonly tone: 'main' | 'faint' | 'mark'
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface ChartOptions {
  readonly title: string
  readonly xLabel: string
  readonly series: readonly Series[]
  /** Lowest y shown, when the data starts higher. */
  readonly floor?: number
}

const width = 560
const height = 240
const margin = { left: 56, right: 12, top: 12, bottom: 34 }

export const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/** Round values about `count` apart that cover a range. */
export function ticks(low: number, high: number, count: number): number[] {
  const raw = (high - low) / count || 1
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw)!
  const out: number[] = []
  for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step)
    out.push(Number(value.toPrecision(12)))
  return out
}

/** A number as an axis shows it: three digits, thousands as k. */
export const short = (value: number): string => {
  const size = Math.abs(value)
  if (value === 0) return '0'
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`
  if (size < 1e-3) return value.toExponential(1)
  return String(Number(value.toPrecision(3)))
}

/** Exponential moving average, started without bias: the line that the eye would draw through noise. */
export function smooth(
  points: readonly (readonly [number, number])[],
  weight: number,
): (readonly [number, number])[] {
  let sum = 0
  let mass = 0
  return points.map(([x, y]) => {
    sum = weight * sum + (1 - weight) * y
    mass = weight * mass + (1 - weight)
    return [x, sum / mass] as const
  })
}

/** What stands inside the SVG of a chart; '' without points. */
function plot({ xLabel, series, floor }: Omit<ChartOptions, 'title'>): string {
  const points = series.flatMap((line) => line.points).filter(([, y]) => Number.isFinite(y))
  if (!points.length) return ''
  const xs = points.map(([x]) => x)
  const ys = points.map(([, y]) => y)
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)]
  const low = floor === undefined ? Math.min(...ys) : Math.min(floor, ...ys)
  const high = Math.max(...ys)
  const pad = (high - low || Math.abs(high) || 1) * 0.04
  const [y0, y1] = [floor === undefined ? low - pad : low, high + pad]
  const px = (x: number) => margin.left + ((x - x0) / (x1 - x0 || 1)) * (width - margin.left - margin.right)
  const py = (y: number) =>
    height - margin.bottom - ((y - y0) / (y1 - y0)) * (height - margin.top - margin.bottom)
  const grid = ticks(y0, y1, 5)
    .map(
      (y) =>
        `<line class="grid" x1="${margin.left}" x2="${width - margin.right}" y1="${py(y).toFixed(1)}" y2="${py(y).toFixed(1)}"/>` +
        `<text x="${margin.left - 6}" y="${(py(y) + 4).toFixed(1)}" text-anchor="end">${short(y)}</text>`,
    )
    .join('')
  const axis = ticks(x0, x1, 6)
    .map((x) => `<text x="${px(x).toFixed(1)}" y="${height - 16}" text-anchor="middle">${short(x)}</text>`)
    .join('')
  const lines = series
    .map(({ points: line, tone }) => {
      const finite = line.filter(([, y]) => Number.isFinite(y))
      if (tone === 'mark' || finite.length === 1)
        return finite
          .map(
            ([x, y]) => `<circle class="${tone}" cx="${px(x).toFixed(1)}" cy="${py(y).toFixed(1)}" r="3"/>`,
          )
          .join('')
      const path = finite
        .map(([x, y], i) => `${i ? 'L' : 'M'}${px(x).toFixed(1)} ${py(y).toFixed(1)}`)
        .join('')
      return `<path class="${tone}" d="${path}"/>`
    })
    .join('')
  return `${grid}${axis}
<text x="${(width + margin.left) / 2}" y="${height - 2}" text-anchor="middle">${escapeHtml(xLabel)}</text>${lines}`
}

/** A figure of lines over a common x axis, for a page with the style of the report; '' without points. */
export function chart(options: ChartOptions): string {
  const { title, series } = options
  const inside = plot(options)
  if (inside === '') return ''
  const legend =
    series.length < 2
      ? ''
      : `<p class="legend">${series.map((line) => `<span class="${line.tone}">${escapeHtml(line.name)}</span>`).join('')}</p>`
  return `<figure><figcaption>${escapeHtml(title)}</figcaption>${legend}
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(title)}">${inside}</svg></figure>`
}

const head = 44

/** The same as an SVG file of its own, light and dark as whoever looks at it has it; '' without points. */
export function chartImage(options: ChartOptions): string {
  const { title, series } = options
  const inside = plot(options)
  if (inside === '') return ''
  let x = margin.left
  const legend = series.map(({ name, tone }) => {
    const key = `<circle class="${tone}" cx="${x + 4}" cy="34" r="4"/><text x="${x + 13}" y="38">${escapeHtml(name)}</text>`
    x += 30 + 7 * name.length
    return key
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height + head}" viewBox="0 0 ${width} ${height + head}" role="img" aria-label="${escapeHtml(title)}">
<style>${imageStyle}</style>
<rect class="ground" width="${width}" height="${height + head}"/>
<text class="title" x="12" y="20">${escapeHtml(title)}</text>${series.length < 2 ? '' : legend.join('')}
<g transform="translate(0 ${head})">${inside}</g></svg>
`
}

import { compact } from '../ui/format.js'
import {
  languageNames,
  languagesOf,
  noLanguage,
  scaleOf,
  scaleText,
  type Chart,
  type ChartBar,
} from './chart.js'

/** A text within XML; characters that XML does not allow are left out. */
const xml = (text: string): string =>
  text
    .replaceAll(
      /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
      '',
    )
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')

// Colours of Okabe and Ito, which people with any colour vision can tell apart; those of the dark are lighter.
const style = `
svg { --ink: #1d2126; --soft: #6a727c; --line: #dfe3e8; --ground: #ffffff; --en: #0072b2; --cn: #d55e00; --ml: #009e73; --none: #8d949e; }
@media (prefers-color-scheme: dark) { svg { --ink: #eceef1; --soft: #9aa1ab; --line: #33383f; --ground: #14171b; --en: #56b4e9; --cn: #f0904f; --ml: #35c99a; --none: #7c838d; } }
text { font: 12px system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; fill: var(--ink); }
.title { font-size: 15px; font-weight: 600; } .soft { fill: var(--soft); } .ground { fill: var(--ground); } .line { stroke: var(--line); }
.en { fill: var(--en); } .cn { fill: var(--cn); } .ml { fill: var(--ml); } .none { fill: var(--none); } .hatch { stroke: var(--ground); stroke-width: 2; }
`

const classes: Readonly<Record<string, string>> = { EN: 'en', CN: 'cn', ML: 'ml' }

const rowHeight = 22
const barHeight = 14
const barWidth = 520
const top = 78

/** Room for a text of this many signs; wide ones of Chinese count twice. */
const roomFor = (texts: readonly string[], least: number) =>
  Math.max(
    least,
    ...texts.map(
      (text) => 7 * Array.from(text).reduce((sum, sign) => sum + (sign > '\u2e80' ? 2 : 1), 0) + 8,
    ),
  )

const valueText = ({ value, source }: ChartBar) =>
  `${compact(value)}${source === undefined || source === '' ? '' : ` ${source}`}`

const rect = (x: number, y: number, width: number, of: string, height = barHeight) =>
  `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${height}" ${of}/>`

/** The chart as an SVG of its own: light and dark as whoever looks at it has it, without scripts. */
export function chartSvg(chart: Chart): string {
  const { title, about, bars, unknown } = chart
  const scale = scaleOf(bars)
  const left = roomFor(
    bars.map(({ name }) => name),
    60,
  )
  const right = roomFor(bars.map(valueText), 50)
  const width = left + barWidth + right + 20
  const bottom = top + bars.length * rowHeight
  const height = bottom + (unknown.length > 0 ? 52 : 34)
  const described = `${about} ${scaleText(scale)} ${bars.map((bar) => `${bar.name}: ${valueText(bar)}`).join(', ')}.${unknown.length > 0 ? ` Not known: ${unknown.join(', ')}.` : ''}`
  let x = left
  const keys = languagesOf(chart).map((language) => {
    const name = languageNames[language] ?? noLanguage
    const key = `${rect(x, 46, 12, `class="${classes[language] ?? 'none'}"`, 12)}<text x="${x + 17}" y="56" class="soft">${xml(name)}</text>`
    x += 17 + roomFor([name], 0) + 10
    return key
  })
  if (bars.some(({ isNonCommercial }) => isNonCommercial))
    keys.push(
      `${rect(x, 46, 12, 'class="none"', 12)}${rect(x, 46, 12, 'fill="url(#nc)"', 12)}<text x="${x + 17}" y="56" class="soft">hatched: not for commercial use</text>`,
    )
  const grid = scale.ticks.map((tick) => {
    const at = (left + barWidth * scale.at(tick)).toFixed(1)
    return `<line x1="${at}" x2="${at}" y1="${top - 4}" y2="${bottom}" class="line"/><text x="${at}" y="${bottom + 16}" text-anchor="middle" class="soft">${compact(tick)}</text>`
  })
  const rows = bars.map((bar, i) => {
    const y = top + i * rowHeight
    const length = Math.max(1, barWidth * scale.at(bar.value))
    const languages = bar.languages.length > 0 ? bar.languages : [noLanguage]
    const part = length / languages.length
    const parts = languages.map((language, p) =>
      rect(left + p * part, y, part, `class="${classes[language] ?? 'none'}"`),
    )
    if (bar.isNonCommercial) parts.push(rect(left, y, length, 'fill="url(#nc)"'))
    return [
      `<text x="${left - 8}" y="${y + 11}" text-anchor="end">${xml(bar.name)}</text>`,
      ...parts,
      `<text x="${(left + length + 6).toFixed(1)}" y="${y + 11}" class="soft">${xml(valueText(bar))}</text>`,
    ].join('')
  })
  const lost =
    unknown.length === 0
      ? []
      : [
          `<text x="12" y="${bottom + 40}" class="soft">${unknown.length} without a number, listed in the description</text>`,
        ]
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title desc">`,
    `<title id="title">${xml(title)}</title>`,
    `<desc id="desc">${xml(described)}</desc>`,
    `<style>${style}</style>`,
    '<defs><pattern id="nc" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><line x1="0" x2="0" y1="0" y2="6" class="hatch"/></pattern></defs>',
    `<rect width="${width}" height="${height}" class="ground"/>`,
    `<text x="12" y="22" class="title">${xml(title)}</text>`,
    `<text x="12" y="38" class="soft">${xml(`${about} ${scaleText(scale)}`)}</text>`,
    ...keys,
    ...grid,
    ...rows,
    ...lost,
    '</svg>\n',
  ].join('\n')
}

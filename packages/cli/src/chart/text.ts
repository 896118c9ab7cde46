import type { VerbTerminal } from '@ift/core'
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

/** Colour and letter of a language: without colours, bars are made of letters. */
const looks: Readonly<
  Record<string, { readonly style: 'cyan' | 'yellow' | 'green' | 'dim'; readonly letter: string }>
> = {
  EN: { style: 'cyan', letter: 'E' },
  CN: { style: 'yellow', letter: 'C' },
  ML: { style: 'green', letter: 'M' },
}
const lookOf = (language: string) => looks[language] ?? ({ style: 'dim', letter: '?' } as const)

/** Columns that a bar is given at least. */
const leastBar = 10

function bar({ languages }: ChartBar, length: number, terminal: VerbTerminal): string {
  const all = languages.length > 0 ? languages : [noLanguage]
  return all
    .map((language, i) => {
      const [from, to] = [i, i + 1].map((part) => Math.round((length * part) / all.length)) as [
        number,
        number,
      ]
      const { style, letter } = lookOf(language)
      return terminal.showsStyles
        ? terminal.style(style, '█'.repeat(to - from), 'stdout')
        : letter.repeat(to - from)
    })
    .join('')
}

/** The chart on a terminal of so many columns; the name of a set is cut before its bar is. */
export function chartText(chart: Chart, terminal: VerbTerminal, width: number): void {
  const { title, about, bars, unknown } = chart
  const scale = scaleOf(bars)
  const values = bars.map(
    ({ value, source = '', isNonCommercial }) =>
      `${compact(value)}${source === '' ? '' : ` ${source}`}${isNonCommercial ? ' NC' : ''}`,
  )
  const longest = Math.max(0, ...bars.map(({ name }) => name.length))
  const right = Math.max(0, ...values.map((value) => value.length))
  const left = Math.max(8, Math.min(longest, width - right - leastBar - 4))
  const room = Math.max(leastBar, width - left - right - 4)
  terminal.view(`${terminal.style('bold', title, 'stdout')}\n`)
  for (const [i, one] of bars.entries()) {
    const name = one.name.length > left ? `${one.name.slice(0, left - 1)}…` : one.name.padEnd(left)
    const length = one.value > 0 ? Math.max(1, Math.round(room * scale.at(one.value))) : 0
    terminal.view(`  ${name} ${bar(one, length, terminal)} ${values[i]!}\n`)
  }
  const keys = languagesOf(chart).map((language) => {
    const { style, letter } = lookOf(language)
    const mark = terminal.showsStyles ? terminal.style(style, '█', 'stdout') : letter
    return `${mark} ${languageNames[language] ?? noLanguage}`
  })
  if (keys.length > 0) terminal.view(`  ${keys.join('  ')}\n`)
  terminal.note(`${about} ${scaleText(scale)}`)
  if (unknown.length > 0) terminal.note(`No number is known of ${unknown.join(', ')}.`)
}

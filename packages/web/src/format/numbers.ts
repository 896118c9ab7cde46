/** Stands where there is no value. */
export const missing = '—'

const groups = new Map<number, Intl.NumberFormat>()

/** Figures are the same in both languages: comma between thousands, point before decimals. */
function grouped(digits: number): Intl.NumberFormat {
  let format = groups.get(digits)
  if (format === undefined) {
    format = new Intl.NumberFormat('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
    groups.set(digits, format)
  }
  return format
}

/** The minus sign, which is as wide as a digit, in place of the hyphen. */
export const trueMinus = (text: string): string => text.replaceAll('-', '−')

/** Something that may be no number: an infinite loss is null in JSON. */
export type Figure = number | null | undefined

/** A number with so many decimals; `—` for none, `∞` and `NaN` by their names. */
export function fixed(value: Figure, digits: number): string {
  if (value === null || value === undefined) return missing
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞'
  const text = grouped(digits).format(value)
  // −0.00 is 0.00.
  return /[1-9]/.test(text) ? trueMinus(text) : text.replace('-', '')
}

export const whole = (value: Figure): string => fixed(value, 0)

/** A loss in nats per trained token. */
export const loss = (value: Figure): string => fixed(value, 4)

export const perplexity = (value: Figure): string => fixed(value, 3)

/** A change with its sign: `+0.0210`, `−0.0746`. */
export function change(value: Figure, digits: number): string {
  const text = fixed(value, digits)
  return typeof value === 'number' && value > 0 && /[1-9∞]/.test(text) ? `+${text}` : text
}

/** Bytes in GiB, without the unit. */
export const gib = (bytes: Figure): string => fixed(typeof bytes === 'number' ? bytes / 2 ** 30 : bytes, 2)

/** A share from 0 to 1 in percent, without the sign. */
export const percentOf = (share: Figure, digits = 1): string =>
  fixed(typeof share === 'number' ? share * 100 : share, digits)

/** A share from 0 to 1: `65 %`. */
export function percent(share: Figure, digits = 0): string {
  const text = percentOf(share, digits)
  return text === missing ? text : `${text} %`
}

/** Bytes of a file, in decimal units as file managers show them: `9.8 MB`. */
export function bytes(value: Figure): string {
  if (value === null || value === undefined) return missing
  const units = ['B', 'kB', 'MB', 'GB', 'TB'] as const
  let size = Math.abs(value)
  let unit = 0
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000
    unit++
  }
  const digits = unit === 0 || size >= 99.5 ? 0 : 1
  return `${value < 0 ? '−' : ''}${grouped(digits).format(size)} ${units[unit]}`
}

/** A rate such as 3e-4: as people write it, three digits at most. Plain from 0.001 up to 10,000. */
export function rate(value: Figure): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return fixed(value, 0)
  if (value === 0) return '0'
  const size = Math.abs(value)
  if (size >= 1e-2 && size < 1e4) return trueMinus(String(Number(value.toPrecision(3))))
  // The exponent keeps its hyphen: that is how the number is typed.
  const [digits, exponent] = value.toExponential(2).split('e') as [string, string]
  return `${trueMinus(String(Number(digits)))}e${exponent.replace('+', '')}`
}

/** Decimals that tell the values of a column apart: `significant` figures of the smallest that is not 0, from 0 to 6. */
export function decimalsOf(values: readonly Figure[], significant = 3): number {
  let smallest = Infinity
  for (const value of values)
    if (typeof value === 'number' && Number.isFinite(value) && value !== 0)
      smallest = Math.min(smallest, Math.abs(value))
  if (smallest === Infinity) return 0
  return Math.max(0, Math.min(6, significant - 1 - Math.floor(Math.log10(smallest))))
}

/** A column in one precision. */
export function column(values: readonly Figure[], significant = 3): string[] {
  const digits = decimalsOf(values, significant)
  return values.map((value) => fixed(value, digits))
}

/** A long name cut in the middle, so that both ends can be read. */
export function middle(text: string, most: number): string {
  // Whole code points: half of one is no character.
  const characters = Array.from(text)
  if (characters.length <= most) return text
  const kept = most - 1
  const head = Math.ceil(kept / 2)
  return `${characters.slice(0, head).join('')}…${characters.slice(characters.length - (kept - head)).join('')}`
}

/** `digits / 10 ** places`, exactly. */
export interface Decimal {
  readonly digits: bigint
  readonly places: number
}

/** A longer text is no number of a table; adding it up exactly would take long. */
const mostCharacters = 1000
/** Significant digits of an average that has no end. */
const averageDigits = 15

/** A number as tables write it: 1,234.5 or 1e3; null for other texts. */
export function decimalIn(text: string): Decimal | null {
  const trimmed = text.trim()
  if (trimmed.length > mostCharacters) return null
  const plain = trimmed.replace(/^[+-]?\d{1,3}(?:,\d{3})+(?=\.|$)/, (all) => all.replaceAll(',', ''))
  const found = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,3}))?$/i.exec(plain)
  if (!found) return null
  const [, sign, whole = '', fraction = '', exponent = '0'] = found
  if (whole + fraction === '') return null
  const places = fraction.length - Number(exponent)
  const digits = BigInt(whole + fraction) * 10n ** BigInt(Math.max(0, -places))
  return { digits: sign === '-' ? -digits : digits, places: Math.max(0, places) }
}

const scaled = ({ digits, places }: Decimal, to: number) => digits * 10n ** BigInt(to - places)

export function sum(a: Decimal, b: Decimal): Decimal {
  const places = Math.max(a.places, b.places)
  return { digits: scaled(a, places) + scaled(b, places), places }
}

/** Below, at or above 0 as `a` is less than, equal to or greater than `b`. */
export function compare(a: Decimal, b: Decimal): number {
  const places = Math.max(a.places, b.places)
  const [x, y] = [scaled(a, places), scaled(b, places)]
  return x < y ? -1 : x > y ? 1 : 0
}

const magnitude = (digits: bigint) => (digits < 0n ? -digits : digits)

/** All digits before the point, and as many behind it as make 15 significant ones, the last one rounded. */
export function average(total: Decimal, count: number): Decimal {
  const own = magnitude(total.digits)
  const more = averageDigits + 1 + String(count).length
  const quotient = (own * 10n ** BigInt(more)) / BigInt(count)
  const places = total.places + more
  const cut = Math.max(0, Math.min(String(quotient).length - averageDigits, places))
  const unit = 10n ** BigInt(cut)
  const rounded = (quotient + unit / 2n) / unit
  return { digits: total.digits < 0n ? -rounded : rounded, places: places - cut }
}

/** In digits, without zeros at the end of its fraction. */
export function decimalText({ digits, places }: Decimal): string {
  const text = String(magnitude(digits)).padStart(places + 1, '0')
  const point = text.length - places
  const fraction = text.slice(point).replace(/(?<!0)0+$/, '')
  return `${digits < 0n ? '-' : ''}${text.slice(0, point)}${fraction === '' ? '' : `.${fraction}`}`
}

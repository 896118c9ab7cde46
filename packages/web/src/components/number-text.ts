/**
 * Numbers as they are typed: `3e-4`, `1k`, `2M`, `50 %`, with `,` between thousands and either minus. Null for what is none; NaN and
 * infinity are none.
 */
export function readNumber(text: string): number | null {
  const [, digits, mark = ''] =
    /^\s*([-−+]?(?:\d[\d,]*(?:\.\d*)?|\.\d+)(?:e[-−+]?\d+)?)\s*([kKM%]?)\s*$/i.exec(text) ?? []
  if (digits === undefined) return null
  const value = Number(digits.replaceAll(',', '').replaceAll('−', '-'))
  const by = mark === '%' ? 0.01 : mark === 'M' || mark === 'm' ? 1e6 : mark === '' ? 1 : 1e3
  // A share of a hundred is divided, so that 50 % is 0.5 and 7 % is 0.07.
  const scaled = mark === '%' ? value / 100 : value * by
  return Number.isFinite(scaled) ? scaled : null
}

/** A number as a field shows it: as short as it reads back the same. */
export const writeNumber = (value: number): string => String(value).replace('e+', 'e')

/** The next number up (1) or down (−1): a tenth of the leading digit's place, whole where only whole numbers are taken. */
export function stepped(value: number, direction: 1 | -1, whole: boolean): number {
  if (value === 0) return whole ? direction : direction * 0.1
  const place = 10 ** Math.floor(Math.log10(Math.abs(value)))
  const step = whole ? Math.max(1, place / 10) : place / 10
  return Number((value + direction * step).toPrecision(12))
}

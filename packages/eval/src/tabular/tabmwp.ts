import { saidAnswer } from './said.js'

/** Three decimals, halves to the even digit, as Python's `round` does with the exact value of a double. */
function rounded(value: number): number {
  const digits = Math.abs(value).toFixed(60)
  const point = digits.indexOf('.')
  const isHalf = /^50*$/.test(digits.slice(point + 4))
  const fixed = Number(value.toFixed(3))
  if (!isHalf || Math.abs(value) >= 1e21) return fixed
  const down = Number(digits.slice(0, point + 4))
  const isEven = Number(digits[point + 3]) % 2 === 0
  return Math.sign(value) * (isEven ? down : Number((down + 0.001).toFixed(3)))
}

/**
 * An answer of TabMWP in the form in which its authors compare it (Lu et al., 2023, arXiv 2209.14610, `normalize_answer`): without a dollar
 * sign in front and one mark at the end; numbers without separators of thousands, fractions and decimals with three decimals; texts
 * without the unit of the problem.
 */
export function tabMwpNormalised(text: string, unit = ''): string {
  const bare = text
    .trim()
    .replace(/^\$/, '')
    .replace(/[,./]$/, '')
  if (!/^[-+]?[0-9,./]+$/.test(bare)) return unit === '' ? bare : bare.replaceAll(unit, '').trim()
  const digits = bare.replaceAll(',', '')
  if (/^[-+]?[0-9]+$/.test(digits)) return String(BigInt(digits.replace('+', '')))
  const parts = digits.split('/')
  const decimal = /^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)$/
  // More than one stroke is read as its first two parts; what is no number stays as it is.
  const [above, below] = parts
  if (!decimal.test(above!) || (below !== undefined && (!decimal.test(below) || Number(below) === 0)))
    return digits
  return String(rounded(below === undefined ? Number(above) : Number(above) / Number(below)))
}

/** What an answer comes to: behind the last "answer is", or "答案是", up to the end of its line; else its last line. */
export function tabMwpAnswer(text: string): string {
  const line = saidAnswer(text) ?? text.trim().split('\n').at(-1)!
  // The full stop of the sentence, not that of "7:25 P.M.".
  return line
    .trim()
    .replace(/(?<!\b[AP]\.M)[.。]$/iu, '')
    .trim()
}

export interface TabMwpProblem {
  readonly answer: string
  /** '' for none. */
  readonly unit: string
  /** Null where the answer is free. */
  readonly choices: readonly string[] | null
}

/**
 * The choice that an answer names: by its text or its letter; null where it names none. The authors take the most similar choice instead,
 * whatever was answered.
 */
export function tabMwpChoice(said: string, choices: readonly string[]): string | null {
  const plain = (text: string) => text.trim().toLowerCase()
  const whole = choices.find((choice) => plain(choice) === plain(said))
  if (whole !== undefined) return whole
  const letter = /^\(?([a-z])\)(?:\s|$)|^([a-z])$/iu.exec(said.trim())
  if (letter) return choices[(letter[1] ?? letter[2])!.toLowerCase().charCodeAt(0) - 97] ?? null
  const named = choices.filter((choice) => {
    const at = plain(said).indexOf(plain(choice))
    const around = plain(said)
    return (
      at >= 0 &&
      !/[\p{L}\p{N}]/u.test(around[at - 1] ?? '') &&
      !/[\p{L}\p{N}]/u.test(around[at + plain(choice).length] ?? '')
    )
  })
  return named.length === 1 ? named[0]! : null
}

/** 1 where an answer solves the problem, else 0. */
export function tabMwpScore(text: string, { answer, unit, choices }: TabMwpProblem): 0 | 1 {
  const said = tabMwpAnswer(text)
  const meant = choices && choices.length > 0 ? tabMwpChoice(said, choices) : said
  if (meant === null) return 0
  // Once more, since the first pass leaves the unit out, or the separators.
  const normalised = (one: string) => tabMwpNormalised(tabMwpNormalised(one, unit), unit).toLowerCase()
  return normalised(meant) === normalised(answer) ? 1 : 0
}

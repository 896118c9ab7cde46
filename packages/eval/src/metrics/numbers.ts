import { extractByRegex } from './regex.js'

/** Digits of a number that is compared; what is longer is no answer to a problem. */
const mostDigits = 400

/** A number as a quotient, which is exact where a double is not. */
interface Quotient {
  readonly numerator: bigint
  /** Above 0. */
  readonly denominator: bigint
}

export interface FoundNumber {
  /** As it stands in the text, after NFKC. */
  readonly text: string
  readonly value: Quotient
  /** Whether a percent sign follows; `value` is then the hundredth part. */
  readonly percent: boolean
  /** Where it begins in the text after NFKC. */
  readonly index: number
}

const whole = String.raw`\d{1,3}(?:,\d{3})+(?!\d)|\d+`
const decimal = String.raw`(?:${whole})(?:\.\d+)?|(?<!\d)\.\d+`
/**
 * Sign, currency, then LaTeX's fraction, a mixed number, a fraction or a decimal, then what multiplies it. A dash behind a letter, a
 * digit or a bracket is no sign.
 */
const number = new RegExp(
  String.raw`(?<sign>(?<![\p{L}\p{N})\]}])-)?[$¥€£]?\s?(?:\\[dt]?frac\{(?<up>\d+)\}\{(?<low>\d+)\}` +
    String.raw`|(?:(?<mixed>\d+)\s+)?(?<![\d./])(?<above>${whole})\s?/\s?(?<below>\d+)(?![\d.]*/)|(?<decimal>${decimal}))` +
    String.raw`\s?(?<unit>\\?%|万|亿)?`,
  'gu',
)

/** Full-width signs as the others, ½ as 1/2, and one sign for minus. */
const plain = (text: string) =>
  text
    // "1½" would become "11⁄2".
    .replace(/(\d)(?=[¼-¾⅐-⅞])/g, '$1 ')
    .normalize('NFKC')
    .replace(/\u2044/g, '/')
    .replace(/\u2212/g, '-')

function quotientOf(groups: Readonly<Record<string, string | undefined>>): Quotient | null {
  const { sign, up, low, mixed, above, below, decimal: written, unit } = groups
  let numerator: bigint
  let denominator = 1n
  if (written !== undefined) {
    const digits = written.replaceAll(',', '')
    if (digits.length > mostDigits) return null
    const point = digits.indexOf('.')
    numerator = BigInt(digits.replace('.', ''))
    if (point >= 0) denominator = 10n ** BigInt(digits.length - point - 1)
  } else {
    const [top, bottom] = [(up ?? above ?? '').replaceAll(',', ''), low ?? below ?? '']
    if (top.length + bottom.length + (mixed?.length ?? 0) > mostDigits) return null
    denominator = BigInt(bottom)
    if (denominator === 0n) return null
    numerator = BigInt(top) + BigInt(mixed ?? 0) * denominator
  }
  if (unit === '万') numerator *= 10_000n
  else if (unit === '亿') numerator *= 100_000_000n
  else if (unit !== undefined) denominator *= 100n
  return { numerator: sign === undefined ? numerator : -numerator, denominator }
}

/**
 * The numbers of a text: with separators of thousands, a sign, a currency, fractions (3/4, 1 1/2, ½, \frac{3}{4}), percent, 万 and 亿, in
 * full-width signs too. Numbers in Chinese characters are not read.
 */
export function numbersIn(text: string): FoundNumber[] {
  const found: FoundNumber[] = []
  for (const match of plain(text).matchAll(number)) {
    const groups = match.groups!
    const value = quotientOf(groups)
    if (value)
      found.push({
        text: match[0].trim(),
        value,
        percent: groups['unit']?.endsWith('%') ?? false,
        index: match.index,
      })
  }
  return found
}

const equal = (a: Quotient, b: Quotient) => a.numerator * b.denominator === b.numerator * a.denominator

/**
 * Whether the first number of each text has one value: 0.5, 1/2 and 50% do. Where one of them alone has a percent sign, 50% is 50 as well,
 * since a problem may ask for either.
 */
export function sameNumber(answer: string, reference: string): boolean {
  const [a, b] = [numbersIn(answer)[0], numbersIn(reference)[0]]
  if (!a || !b) return false
  if (equal(a.value, b.value)) return true
  if (a.percent === b.percent) return false
  const hundredfold = ({ value, percent }: FoundNumber): Quotient =>
    percent ? { ...value, numerator: value.numerator * 100n } : value
  return equal(hundredfold(a), hundredfold(b))
}

/** What stands behind `####`, as published solutions of GSM8K have it: `strict-match` of lm-evaluation-harness. */
export const strictNumber = (answer: string): string | null => extractByRegex(answer, /#### (-?[0-9.,]+)/)

/** The last number: `flexible-extract` of lm-evaluation-harness, which takes a full stop with it. */
export const lastNumber = (answer: string): string | null =>
  extractByRegex(answer, /(-?[$0-9.,]{2,})|(-?[0-9]+)/, { take: 'last' })

/**
 * The number of a Chinese answer: the first behind the last 答案 of the text (答案是 12, 答案为：12, 答案：x = 12), up to the end of that
 * sentence. Of what is equal there, as in 答案是 3 + 4 = 7, the last. Null where there is none.
 */
export function chineseNumber(answer: string): string | null {
  const text = plain(answer)
  for (let end = text.length; end > 0;) {
    const at = text.lastIndexOf('答案', end - 1)
    if (at < 0) return null
    const sentence = /^[^。!?;\n]*/.exec(text.slice(at + 2))![0]
    const clause = /^(?:[^,、]|(?<=\d),(?=\d))*/.exec(sentence)![0]
    const found = numbersIn(clause.slice(clause.lastIndexOf('=') + 1))[0] ?? numbersIn(sentence)[0]
    if (found) return found.text
    end = at
  }
  return null
}

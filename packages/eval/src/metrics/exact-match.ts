/** What two texts may differ in; nothing by default. Applied in this order. */
export interface ExactMatchOptions {
  /** Parts that are taken out of both, everywhere they occur. */
  readonly ignore?: readonly RegExp[]
  /** Full-width signs count as the others: Unicode's compatibility form, NFKC. lm-evaluation-harness has no such option. */
  readonly ignoreWidth?: boolean
  readonly ignoreCase?: boolean
  /** The punctuation of ASCII; with `ignoreWidth` that of Chinese as well. */
  readonly ignorePunctuation?: boolean
  /** The digits of ASCII. */
  readonly ignoreNumbers?: boolean
}

const asciiPunctuation = /[!-/:-@[-`{-~]/g

function compared(text: string, options: ExactMatchOptions): string {
  let kept = text
  for (const pattern of options.ignore ?? [])
    kept = kept.replace(pattern.global ? pattern : new RegExp(pattern.source, `${pattern.flags}g`), '')
  if (options.ignoreWidth) kept = kept.normalize('NFKC')
  if (options.ignoreCase) kept = kept.toLowerCase()
  if (options.ignorePunctuation)
    kept = kept.replace(asciiPunctuation, '').replace(options.ignoreWidth ? /\p{P}/gu : /(?!)/, '')
  if (options.ignoreNumbers) kept = kept.replace(/[0-9]/g, '')
  return kept
}

/** 1 where an answer is the reference, but for what the options say; else 0. As `exact_match` of lm-evaluation-harness. */
export const exactMatch = (answer: string, reference: string, options: ExactMatchOptions = {}): 0 | 1 =>
  compared(answer, options) === compared(reference, options) ? 1 : 0

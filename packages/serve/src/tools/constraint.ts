import type { CallableFunction } from './events.js'

/** The text around the calls of a form, for a grammar of answers that call. */
export interface CallForm {
  /** In front of all calls, and behind them. */
  readonly open?: string
  readonly close?: string
  /** In front of a call's arguments, and behind them. */
  readonly begin: (name: string) => string
  readonly end: string
  /** Between calls; null where there is one call alone. */
  readonly between: string | null
}

/** Between the parts of a call's arguments: models fill their answers with blanks where they may. */
const blanks = '[ ]?'

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * A constraint (`lark` of `@ift/constraints`) under which an answer calls one of the functions with the arguments that its schema describes,
 * or several in a row, and says nothing else.
 */
export function constraintOf(
  form: CallForm,
  functions: readonly CallableFunction[],
  several: boolean,
): { readonly lark: string } {
  const text = (value: string) => (value === '' ? '' : JSON.stringify(value))
  const calls = functions.map(({ name, parameters }, i) => {
    const schema = isRecord(parameters) ? parameters : { type: 'object' }
    const json = JSON.stringify({ 'x-guidance': { whitespace_pattern: blanks }, ...schema })
    return `call${i}: ${text(form.begin(name))} %json ${json} ${text(form.end)}`.trimEnd()
  })
  const one = functions.map((_, i) => `call${i}`).join(' | ')
  const more = several && form.between !== null ? ` (${text(form.between)} call)*` : ''
  const start = `start: ${text(form.open ?? '')} call${more} ${text(form.close ?? '')}`
  return { lark: [start.replaceAll(/ +/g, ' ').trimEnd(), `call: ${one}`, ...calls].join('\n') }
}

import type { Sampling } from '../../api/completions.js'

export interface Parameters extends Sampling {
  /** Null: another one for each answer. */
  readonly seed: number | null
}

export const defaults: Parameters = {
  temperature: 0.7,
  topP: 0.9,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  maxTokens: 512,
  stops: [],
  seed: 42,
}

/** The seed of an answer: of the first the chosen one, of each further branch the next, since the same one gives the same answer. */
export const seedOf = ({ seed }: Parameters, branches: number): number =>
  seed === null ? crypto.getRandomValues(new Uint32Array(1))[0]! : seed + branches

/** A number as it stands beside its name: `0.7`, `1`. */
export const brief = (value: number): string => String(Number(value.toFixed(3)))

/** Stops as they are typed: `\n` and `\t` are characters that have no key. */
export const readStop = (typed: string): string =>
  typed.replace(/\\([nt\\])/g, (_, mark: string) => (mark === 'n' ? '\n' : mark === 't' ? '\t' : '\\'))

export const writeStop = (stop: string): string =>
  stop.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\t', '\\t')

/** Functions as they are typed: a list in OpenAI's form. Throws `Error` with what is wrong. */
export function readTools(typed: string): readonly unknown[] {
  if (typed.trim() === '') return []
  let value: unknown
  try {
    value = JSON.parse(typed)
  } catch (error) {
    throw new Error(error instanceof Error ? error.message : String(error), { cause: error })
  }
  const list = Array.isArray(value) ? (value as unknown[]) : [value]
  return list.map((one) => {
    const isWhole = typeof one === 'object' && one !== null && 'type' in one && 'function' in one
    return isWhole ? one : { type: 'function', function: one }
  })
}

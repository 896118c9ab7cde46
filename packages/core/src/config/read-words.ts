import { IftError } from '@ift/tensor'
import type * as z from './options.js'

/** A list or an object as JSON writes it, quoted for the shell; text that is none stays text. */
function parsed(word: string): unknown {
  if (!/^\s*[[{]/.test(word)) return word
  try {
    return JSON.parse(word) as unknown
  } catch {
    return word
  }
}

const numberOf = (word: string) => (word.trim() === '' ? Number.NaN : Number(word))

/** What one word can mean that is no list: a number, a switch, JSON, and at last text. */
function single(word: string): unknown[] {
  const number = numberOf(word)
  const numeric = Number.isNaN(number) ? [] : [number]
  const truth = word === 'true' || word === 'false' ? [word === 'true'] : []
  const json = parsed(word)
  return [...numeric, ...truth, ...(json === word ? [] : [json]), word]
}

/** What the words behind a flag can mean, the likeliest first: numbers and switches before text, one thing before a list. */
function meanings(words: readonly string[]): unknown[] {
  if (words.length === 0) return [true]
  const lists = [words.map(parsed), words.map(numberOf)]
  if (words.length > 1) return lists
  const [word] = words as [string]
  const alone = single(word)
  // Where an option takes names in a list, text alone is an expression (`.*_proj`) or a keyword (`all-linear`).
  return /^\w+$/.test(word) ? [...alone.slice(0, -1), ...lists, word] : [...alone, ...lists]
}

const nest = (path: readonly string[], value: unknown): unknown =>
  path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value)

/**
 * The value of an option from the words behind its flag: of what they can mean, the first that the schema takes at the option's place,
 * whatever they look like. Words that it takes in no form are given as the likeliest, for the check of the whole to refuse.
 * `IFT_USAGE` for a flag without words that is no switch.
 */
export function readWords(schema: z.ZodType, path: readonly string[], words: readonly string[]): unknown {
  const possible = meanings(words)
  const isTaken = (value: unknown) => {
    const { error } = schema.safeParse(nest(path, value))
    return !error?.issues.some((issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.path.length === path.length - 1 && issue.keys.includes(path.at(-1)!)
        : path.every((key, i) => issue.path[i] === key),
    )
  }
  const taken = possible.find(isTaken)
  if (taken === undefined && words.length === 0)
    throw new IftError('IFT_USAGE', `--${path.join('.')} needs a value.`, `--${path.join('.')} VALUE`)
  return taken ?? (words.length === 1 ? single(words[0]!)[0] : possible[0])
}

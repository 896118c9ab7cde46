import { IftError } from '@ift/tensor'
import type { GgufFacts } from '../../contract/gguf.js'

const excerpt = (value: unknown): string => {
  const text =
    value === undefined ? 'nothing' : typeof value === 'bigint' ? String(value) : JSON.stringify(value)
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

/** `IFT_MODEL_CONFIG`: key of the metadata of a GGUF file, what was expected, what was found. */
export const metadataError = (key: string, expected: string, found: unknown, hint?: string): IftError =>
  new IftError(
    'IFT_MODEL_CONFIG',
    `GGUF metadata: ${key} expected ${expected}, found ${excerpt(found)}.`,
    hint,
  )

/** `IFT_EXPORT_UNSUPPORTED`: what of config.json no file of the architecture says, or llama.cpp does not compute. */
export const notInGguf = (field: string, found: unknown, why: string, hint?: string): IftError =>
  new IftError(
    'IFT_EXPORT_UNSUPPORTED',
    `This model has no GGUF file: config.json has ${field} ${excerpt(found)}, and ${why}`,
    hint ?? 'Export it as npx ift export hf DIR, or answer with it: npx ift serve',
  )

/** Keys of a file's architecture, without its name. */
export interface GgufKeys {
  readonly architecture: string
  /** A number, or undefined where the file has none. A list that has one number for each layer, all equal, is that number. */
  readonly number: (key: string) => number | undefined
  readonly needed: (key: string) => number
  readonly text: (key: string) => string | undefined
}

/** Reads keys of the architecture of a file. Throws IFT_MODEL_CONFIG naming a key that is missing or of another type. */
export function ggufKeys({ metadata }: Pick<GgufFacts, 'metadata'>): GgufKeys {
  const architecture = String(metadata.get('general.architecture'))
  const number = (key: string): number | undefined => {
    const name = `${architecture}.${key}`
    const found = metadata.get(name)
    if (found === undefined) return undefined
    const value: unknown =
      Array.isArray(found) && found.every((item) => item === found[0]) ? (found[0] as unknown) : found
    if (typeof value === 'number') return value
    throw metadataError(
      name,
      'a number',
      found,
      Array.isArray(found) ? 'Layers of different sizes are not supported.' : undefined,
    )
  }
  return {
    architecture,
    number,
    needed(key) {
      const value = number(key)
      if (value === undefined) throw metadataError(`${architecture}.${key}`, 'a number', undefined)
      return value
    },
    text(key) {
      const value = metadata.get(`${architecture}.${key}`)
      if (value === undefined || typeof value === 'string') return value
      throw metadataError(`${architecture}.${key}`, 'a text', value)
    },
  }
}

/** The id of a special token, or undefined where the file names none. */
export function ggufTokenId({ metadata }: Pick<GgufFacts, 'metadata'>, name: string): number | undefined {
  const id = metadata.get(`tokenizer.ggml.${name}_token_id`)
  return typeof id === 'number' ? id : undefined
}

/** Rows of the embedding. Throws IFT_MODEL_CONFIG where there is none. */
export function ggufVocabulary({ shapes }: Pick<GgufFacts, 'shapes'>): number {
  const rows = shapes.get('token_embd.weight')?.[0]
  if (rows === undefined)
    throw new IftError(
      'IFT_MODEL_CONFIG',
      'The GGUF file has no tensor token_embd.weight: it is no language model, or a part of one.',
      'Name the file with the weights.',
    )
  return rows
}

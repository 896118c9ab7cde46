import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { defineTokenizer, IftError, jsonObject, readJson, type TokenizerDefinition } from '@ift/core'
import { createTokenizer, fileName, type __Name__Settings } from './tokenizer.js'

/** Special tokens of a file. IFT_FILE_CORRUPT for one that is no such file. */
function settingsOf(path: string, { specials }: Readonly<Record<string, unknown>>): __Name__Settings {
  const isList =
    Array.isArray(specials) &&
    specials.length >= 2 &&
    specials.every((text) => typeof text === 'string' && text !== '') &&
    new Set(specials).size === specials.length
  if (isList) return { specials: specials as unknown as __Name__Settings['specials'] }
  throw new IftError(
    'IFT_FILE_CORRUPT',
    `${path}: specials expected two different texts or more, found ${inspect(specials).slice(0, 80)}.`,
    '{ "specials": ["<s>", "</s>"] }',
  )
}

/** Reads the tokenizer of a folder that has its file. */
export const definition: TokenizerDefinition = {
  name: '__name__',
  detect: (path) =>
    stat(join(path, fileName)).then(
      (found) => found.isFile(),
      () => false,
    ),
  async load(path) {
    const file = join(path, fileName)
    return createTokenizer(settingsOf(file, await readJson(file, jsonObject)))
  },
}

export const plugin = defineTokenizer(definition)
export { createTokenizer, type __Name__Settings } from './tokenizer.js'

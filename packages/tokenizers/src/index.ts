import { definePlugin, type TokenizerDefinition } from '@ift/core'
import { tokenizerJson } from './kind/tokenizer-json.js'

/** Kinds of tokenizer files, in the order in which a folder is asked for them. */
export const definitions: readonly TokenizerDefinition[] = [tokenizerJson]

export const plugin = definePlugin('tokenizers', ({ hooks }) => {
  for (const definition of definitions)
    hooks.tokenizer.for(definition.name).tap('tokenizers', () => definition)
})

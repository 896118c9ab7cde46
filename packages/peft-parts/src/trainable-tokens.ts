import type { PeftMethod } from '@ift/core'
import { linearLayersAndEmbeddings, moduleMethod, targetFields } from '@ift/core/peft'
import { tokenOptions, type TokenOptions } from './options.js'

/**
 * Trainable tokens: some rows of the embedding are trained, and of a tied head with it; all else is frozen. Adapters in the format
 * of Hugging Face PEFT, both ways.
 */
export const trainableTokens: PeftMethod<TokenOptions> = moduleMethod<TokenOptions>({
  name: 'trainable-tokens',
  peftType: 'TRAINABLE_TOKENS',
  targetRoles: ['embedding'],
  targets: linearLayersAndEmbeddings,
  options: tokenOptions,
  fields: { target_modules: targetFields.target_modules, token_indices: 'tokenIndices' },
  ignoredFields: ['init_weights'],
  tokenRows: (modules, { tokenIndices }) => ({
    setting: { option: 'tokenIndices', field: 'token_indices', value: tokenIndices },
    indices: new Map([...modules.keys()].map((path) => [path, tokenIndices])),
    fileName: 'trainable_tokens_delta',
    repeated: true,
  }),
  writeConfig: () => ({ init_weights: true }),
})

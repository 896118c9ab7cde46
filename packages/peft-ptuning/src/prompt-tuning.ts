import { IftError } from '@ift/core'
import { normal, values } from '@ift/core/peft'
import * as z from '@ift/core/options'
import { inputRows, inputRowsUnmergeable } from './input-rows.js'
import { virtualTokenMethod, virtualTokenOptions } from './method.js'
import { sampledIds, textIds, tokenRows } from './token-rows.js'
import { Table } from './row-source.js'

const options = z.strictObject({
  ...virtualTokenOptions,
  init: z
    .enum(['random', 'sample-vocab', 'text'])
    .default('random')
    .describe(
      'Start of the rows: N(0, 1), embeddings of random tokens, or those of initText, repeated or cut to fit.',
    ),
  initText: z.string().min(1).optional().describe('The text of init: text.'),
})

export type PromptTuningOptions = z.output<typeof options>

const inits = { random: 'RANDOM', 'sample-vocab': 'SAMPLE_VOCAB', text: 'TEXT' } as const

/** Prompt tuning (Lester et al. 2021, arXiv:2104.08691): rows in front of the embedded tokens are trained. */
export const promptTuning = virtualTokenMethod<PromptTuningOptions>({
  name: 'prompt-tuning',
  peftType: 'PROMPT_TUNING',
  options,
  fields: {},
  ignoredFields: [
    'prompt_tuning_init',
    'prompt_tuning_init_text',
    'tokenizer_kwargs',
    'tokenizer_name_or_path',
  ],
  startOptions: ['init', 'initText'],
  startFields: [
    'prompt_tuning_init',
    'prompt_tuning_init_text',
    'tokenizer_kwargs',
    'tokenizer_name_or_path',
  ],
  unmergeable: inputRowsUnmergeable,
  readConfig: ({ prompt_tuning_init: written = null, prompt_tuning_init_text: text }) => {
    const init = Object.entries(inits).find(([, name]) => name === written)?.[0]
    if (written !== null && init === undefined)
      throw new IftError(
        'IFT_ADAPTER_CONFIG',
        `adapter_config.json has prompt_tuning_init ${JSON.stringify(written)}, expected ${Object.values(inits).join(', ')}.`,
        'Take the file from where the adapter was made.',
      )
    // PEFT reads a text without init TEXT, too, and does nothing with it; the rows that a text gave are in the file without it.
    return { ...(init !== undefined && { init }), ...(init === 'text' && { initText: text ?? undefined }) }
  },
  check({ init, initText }) {
    if ((init === 'text') !== (initText !== undefined))
      throw new IftError(
        'IFT_PEFT_OPTIONS',
        init === 'text'
          ? 'peft.init: text starts from peft.initText: expected a text, found none.'
          : `peft.initText is for peft.init: text, found peft.init: ${init}.`,
        init === 'text' ? 'Set peft.initText, or leave out peft.init.' : 'Set peft.init: text.',
      )
  },
  sizes: ({ hidden }) => ({ heads: null, tokenDim: hidden, width: hidden }),
  begin({ virtualTokens, init, initText }, context, model) {
    const start =
      init === 'random'
        ? normal(1)
        : values(async () => {
            const ids =
              init === 'text'
                ? await textIds(context.tokenizer, initText!, virtualTokens)
                : await sampledIds(context, model.embeddings.count, virtualTokens)
            return tokenRows(model, context.backend, ids)
          })
    return new Table(virtualTokens, context.shape.hidden, start)
  },
  prefix: ({ virtualTokens }, context, rows) => inputRows(virtualTokens, context, rows),
  writeConfig: ({ init, initText }, { baseModel }) => ({
    prompt_tuning_init: inits[init],
    prompt_tuning_init_text: initText ?? null,
    tokenizer_kwargs: null,
    // PEFT refuses a text without the name of a tokenizer.
    tokenizer_name_or_path: init === 'text' ? baseModel : null,
  }),
})

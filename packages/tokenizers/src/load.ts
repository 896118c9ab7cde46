import { loadAddon } from '@ift/tensor/native'
import type { Addon } from './addon.js'

/** The native add-on. Throws IFT_TOKENIZER_UNAVAILABLE with what was looked for. */
export const addon = (): Addon =>
  loadAddon({
    what: 'the tokenizers',
    code: 'IFT_TOKENIZER_UNAVAILABLE',
    from: import.meta.url,
    binary: 'tokenizers',
    build: 'pnpm --filter @ift/tokenizers run build:native',
  }) as Addon

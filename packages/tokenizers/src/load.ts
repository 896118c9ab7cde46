import { loadAddon } from '@ift/tensor/native'
import type { Addon } from './addon.js'
import { encodingThreads } from './threads.js'

let loaded: Addon | undefined

/** The native add-on. Throws IFT_TOKENIZER_UNAVAILABLE with what was looked for. */
export function addon(): Addon {
  if (loaded) return loaded
  loaded = loadAddon({
    what: 'the tokenizers',
    code: 'IFT_TOKENIZER_UNAVAILABLE',
    from: import.meta.url,
  }) as Addon
  loaded.NativeTokenizer.setThreads(encodingThreads())
  return loaded
}

import { openGguf, type TokenizerDefinition } from '@ift/core'
import { fromGgufMetadata } from '../gguf.js'

/** The tokenizer inside a GGUF file: the one kind whose place is a file, not a folder. */
export const gguf: TokenizerDefinition = {
  name: 'gguf',
  detect: (path) => Promise.resolve(path.endsWith('.gguf')),
  load: async (path) => fromGgufMetadata((await openGguf(path)).metadata, path),
}

import { ggufModelsAt, openGguf, type TokenizerDefinition } from '@ift/core'
import { fromGgufMetadata } from '../gguf.js'

/** The tokenizer inside a GGUF file: that file, or a folder with no other one. */
export const gguf: TokenizerDefinition = {
  name: 'gguf',
  detect: async (path) => (await ggufModelsAt(path)).length === 1,
  async load(path) {
    const [file = path] = await ggufModelsAt(path)
    return fromGgufMetadata((await openGguf(file)).metadata, file)
  },
}

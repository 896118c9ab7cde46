import { join } from 'node:path'
import type { TokenizerDefinition } from '@ift/core'
import { createTokenizer } from '../assemble.js'
import { policyOfFamily } from '../policy.js'
import { convertSentencePiece } from '../sentencepiece/convert.js'
import { parseSentencePiece } from '../sentencepiece/model.js'
import { readOptional, readSettings } from '../settings.js'
import { exists, missing } from './files.js'

const name = 'tokenizer.model'

/** SentencePiece's own file, as the LLaMA releases have it. */
export const sentencePiece: TokenizerDefinition = {
  name: 'sentencepiece',
  detect: (dir) => exists(dir, name),
  async load(dir) {
    const file = join(dir, name)
    const [bytes, settings] = await Promise.all([readOptional(file), readSettings(dir)])
    if (!bytes) throw missing(dir, [name])
    const model = parseSentencePiece(bytes, file)
    const json = convertSentencePiece(model, file, {
      legacy: settings.legacy ?? true,
      prefixSpace: settings.addPrefixSpace,
    })
    // The original LLaMA code puts bos in front, and its releases have no settings that could say so.
    const family = policyOfFamily(settings.tokenizerClass) ?? { addBos: model.type === 'bpe', addEos: false }
    return createTokenizer({
      json,
      file,
      settings,
      own: { bosId: model.bosId, eosId: model.eosId, ...family },
      files: new Map([[name, bytes]]),
    })
  },
}

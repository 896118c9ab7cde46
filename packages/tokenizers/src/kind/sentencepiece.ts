import { join } from 'node:path'
import type { TokenizerDefinition } from '@ift/core'
import { createTokenizer } from '../assemble.js'
import { policyOfFamily } from '../policy.js'
import { convertSentencePiece } from '../sentencepiece/convert.js'
import { namesOf, parseSentencePiece } from '../sentencepiece/model.js'
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
    const known = policyOfFamily(settings.tokenizerClass)
    const reserved = known?.reserved
    const json = convertSentencePiece(model, file, {
      legacy: settings.legacy ?? true,
      prefixSpace: settings.addPrefixSpace,
      specials: reserved ? model.pieces.map(({ text }) => text).filter((text) => reserved.test(text)) : [],
    })
    // The original LLaMA code puts bos in front, and its releases have no settings that could say so.
    const { addBos, addEos } = known ?? { addBos: model.type === 'bpe', addEos: false }
    return createTokenizer({
      json,
      file,
      pieces: () => model.pieces,
      settings,
      own: { bosId: model.bosId, eosId: model.eosId, addBos, addEos, names: namesOf(model) },
      files: new Map([[name, bytes]]),
    })
  },
}

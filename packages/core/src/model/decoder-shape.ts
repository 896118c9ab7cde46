import type { ModelShape } from '../contract/model.js'

/** What plans and caches are made from, as a family's config has it. */
export interface DecoderDimensions {
  readonly vocabSize: number
  readonly hidden: number
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  /** Heads of keys and values; as many as heads when omitted. */
  readonly kvHeads?: number
  /** hidden / heads when omitted. */
  readonly headDim?: number
  /** Null where nothing limits a sequence. */
  readonly maxPositions: number | null
}

/** `ModelDefinition.shape` of a decoder. */
export function decoderShape(config: DecoderDimensions): ModelShape {
  const { hidden, intermediate, layers, heads, vocabSize: vocab, maxPositions } = config
  const { kvHeads = heads, headDim = hidden / heads } = config
  return { hidden, intermediate, layers, heads, kvHeads, headDim, vocab, maxPositions }
}

import type { GgufDescription, GgufValue } from '../../contract/gguf.js'
import type { DecoderSizes } from '../decoder-sizes.js'
import { inverseFrequencies, type RopeConfig } from '../rope.js'
import { notInGguf } from './metadata.js'
import { ropeTables } from './rope.js'

/** What the keys of a decoder are made from. */
export interface GgufDecoder extends DecoderSizes {
  /** The longest sequence, or null where nothing limits it. */
  readonly maxPositions: number | null
  /** Null in a model without rotary positions. */
  readonly rope: RopeConfig | null
  /** Dimensions of a head that turn; all when absent. */
  readonly rotaryDims?: number
}

/** Tokens that a model was trained for: of some rotations `maxPositions` is what they reach. */
function contextOf({ rope, maxPositions }: GgufDecoder): number {
  if (rope?.kind === 'dynamic') return rope.maxPositions
  const longest = maxPositions ?? 2048
  return rope?.kind === 'linear' && rope.factor > 1 ? Math.ceil(longest / rope.factor) : longest
}

type Rope = Pick<GgufDescription, 'keys' | 'tables'>

function ropeKeys(rope: RopeConfig, dims: number): Rope {
  const scaled = (type: string, rest: Readonly<Record<string, GgufValue>>) => ({
    'rope.scaling.type': type,
    ...rest,
  })
  switch (rope.kind) {
    // Up to the trained length, at which the file ends, nothing changes.
    case 'dynamic':
    case 'default':
      return { keys: {} }
    case 'linear':
      return { keys: scaled('linear', { 'rope.scaling.factor': { f32: rope.factor } }) }
    case 'llama3': {
      const [divided, plain] = [rope, { kind: 'default', theta: rope.theta } as const].map((one) =>
        inverseFrequencies(one, dims, 1),
      )
      return { keys: {}, tables: { [ropeTables.one]: plain!.map((one, i) => one / divided![i]!) } }
    }
    case 'yarn': {
      if (!rope.truncate)
        throw notInGguf('rope_scaling.truncate', false, 'llama.cpp rounds the bounds of the blend.')
      // It has keys for them, which not every version heeds.
      if (rope.betaFast !== 32 || rope.betaSlow !== 1)
        throw notInGguf(
          'rope_scaling.beta_fast, beta_slow',
          [rope.betaFast, rope.betaSlow],
          'llama.cpp takes 32 and 1.',
        )
      // llama.cpp multiplies its own by it.
      const own = 1 + 0.1 * Math.log(Math.max(1, rope.factor))
      const factor = rope.attentionFactor / own
      return {
        keys: scaled('yarn', {
          'rope.scaling.factor': { f32: rope.factor },
          'rope.scaling.original_context_length': { u32: rope.originalMaxPositions },
          ...(Math.abs(factor - 1) < 1e-6 ? {} : { 'rope.scaling.attn_factor': { f32: factor } }),
        }),
      }
    }
    case 'longrope':
      return {
        keys: scaled('longrope', {
          'rope.scaling.original_context_length': { u32: rope.originalMaxPositions },
          'rope.scaling.attn_factor': { f32: rope.attentionFactor },
        }),
        tables: {
          [ropeTables.long]: Float32Array.from(rope.longFactors),
          [ropeTables.short]: Float32Array.from(rope.shortFactors),
        },
      }
  }
}

/** The keys of a decoder with RMSNorm, and the tables that its rotation needs: the way back of `ggufDecoderConfig`. */
export function ggufDecoderKeys(decoder: GgufDecoder): Rope {
  const { vocabSize, hidden, intermediate, layers, heads, kvHeads, headDim, eps, rope } = decoder
  const dims = decoder.rotaryDims ?? headDim
  const { keys: scaling, tables } = rope === null ? { keys: {}, tables: undefined } : ropeKeys(rope, dims)
  return {
    keys: {
      vocab_size: { u32: vocabSize },
      context_length: { u32: contextOf(decoder) },
      embedding_length: { u32: hidden },
      block_count: { u32: layers },
      feed_forward_length: { u32: intermediate },
      'attention.head_count': { u32: heads },
      'attention.head_count_kv': { u32: kvHeads },
      'attention.layer_norm_rms_epsilon': { f32: eps },
      ...(headDim * heads === hidden
        ? {}
        : { 'attention.key_length': { u32: headDim }, 'attention.value_length': { u32: headDim } }),
      ...(rope === null
        ? {}
        : { 'rope.dimension_count': { u32: dims }, 'rope.freq_base': { f32: rope.theta } }),
      ...scaling,
    },
    ...(tables === undefined ? {} : { tables }),
  }
}

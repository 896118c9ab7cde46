export { alibiSlopes } from './alibi.js'
export { CausalAttention, type AttentionParts, type Heads } from './causal-attention.js'
export { CausalDecoder, languageHead } from './causal-decoder.js'
export { decoderShape, type DecoderDimensions } from './decoder-shape.js'
export { readDecoderSizes, type DecoderSizeDefaults, type DecoderSizes } from './decoder-sizes.js'
export {
  DecoderStack,
  embedTokens,
  windowLimit,
  type SequenceLimit,
  type StackOptions,
  type StackParts,
} from './decoder-stack.js'
export {
  addResidual,
  stepOf,
  type AttentionLayer,
  type DecoderLayer,
  type DecoderStep,
  type FeedForwardLayer,
  type NormLayer,
} from './decoder-step.js'
export {
  configError,
  fixedFlag,
  flag,
  given,
  integer,
  object,
  oneOf,
  onlyKnown,
  positive,
  windowedLayers,
  type ConfigJson,
} from './fields.js'
export { FusedAttention, type FusedAttentionParts, type FusedHeadsStep } from './fused-attention.js'
export { fusedSwiglu, gateUpRows, type FusedGateStep } from './fused-gate.js'
export { consecutive, fusedRows, grouped, splitFused, type FusedLayout } from './fused-rows.js'
export {
  ggufDecoderConfig,
  ggufDecoderKeys,
  ggufHeads,
  ggufKeys,
  ggufModules,
  ggufTokenId,
  ggufVocabulary,
  headNormGgufNames,
  inOneTensor,
  llamaGgufNames,
  metadataError,
  notInGguf,
  ropeTables,
  type GgufDecoder,
  type GgufKeys,
  type GgufNameTable,
} from './gguf/index.js'
export { TransformerForCausalLM } from './gpt-layout/transformer-for-causal-lm.js'
export { initializeDecoder, type DecoderStart } from './initialize.js'
export { RotaryAttention, type RotaryAttentionOptions } from './llama-layout/attention.js'
export { DecoderForCausalLM } from './llama-layout/decoder-for-causal-lm.js'
export { DecoderModel, type DecoderModelParts } from './llama-layout/decoder-model.js'
export { FusedGatedMLP } from './llama-layout/fused-gated-mlp.js'
export { GatedMLP, type GatedMLPOptions } from './llama-layout/gated-mlp.js'
export { PreNormLayer } from './llama-layout/pre-norm-layer.js'
export { llamaRoles } from './llama-layout/roles.js'
export { PreNormBlock, type PreNormParts } from './pre-norm-block.js'
export { defaultTargets, isNamed, modulesOf } from './roles.js'
export {
  attentionFactor,
  frequencyKey,
  inverseFrequencies,
  longestSequence,
  parseRope,
  rotaryDims,
  wholeRotation,
  type RopeConfig,
  type RopeLimits,
} from './rope.js'
export { rotationOf, type RotaryStep } from './rotation.js'

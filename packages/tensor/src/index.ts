export * from './backend.js'
export * from './dtype.js'
export * from './errors.js'
export {
  blockSizes,
  dynamicLevels,
  isBlockFormat,
  midpointsOf,
  nf4Block,
  nf4Group,
  nf4Levels,
  quantFormats,
  quantizedSizes,
  type BlockFormat,
  type QuantFormat,
  type QuantizedSizes,
  type WeightFormat,
} from './quantization.js'
export { backward, noGrad } from './tensor/tape.js'
export { empty, Tensor } from './tensor/tensor.js'
export { QuantizedTensor } from './tensor/quantized-tensor.js'
export { fromFile, full, random, tensor, write, zeros } from './tensor/create.js'
export { keep, scope } from './tensor/scope.js'
export { withInvariantRows } from './tensor/invariant-rows.js'
export { passState, withPassState } from './tensor/pass-state.js'
export { recompute } from './tensor/recompute.js'
export { segments, type Segments } from './tensor/segments.js'
export { withRandom, type RandomKey } from './tensor/random.js'
export * from './ops/index.js'
export type { CausalLM, ForwardInput } from './nn/causal-lm.js'
export { Embedding, type EmbeddingOptions } from './nn/embedding.js'
export { forwardInput, promptsOf, type InputRows } from './nn/forward-input.js'
export { PackedKv, SharedPrefixKv, type KeysAndValues, type KvSource } from './nn/kv.js'
export { LayerNorm } from './nn/layer-norm.js'
export { Linear, type LinearLayerOptions } from './nn/linear.js'
export { Module, type Child, type LinearLike } from './nn/module.js'
export {
  PagedKvCache,
  type PagedKvCacheOptions,
  type PagedLayout,
  type PagedStep,
  type SequenceId,
} from './nn/paged-kv-cache.js'
export { Parameter } from './nn/parameter.js'
export { isWide, residualOf } from './nn/wide.js'
export { limitParameters } from './nn/parameter-limit.js'
export { promptLayout, type KeysAhead, type PromptLayout, type PromptSpan } from './nn/prompt-layout.js'
export { QuantizedLinear, quantizeLinears } from './nn/quantized-linear.js'
export { QuantizedParameter } from './nn/quantized-parameter.js'
export { Recompute, recomputeModules } from './nn/recompute-layers.js'
export { replaceModules } from './nn/replace-modules.js'
export { RMSNorm } from './nn/rms-norm.js'
export { TiedLinear } from './nn/tied-linear.js'
export {
  behindVirtualTokens,
  embedBehind,
  keysAhead,
  placesTaken,
  type VirtualKeys,
  type VirtualRows,
  type VirtualTokens,
  type WholeSequences,
} from './nn/virtual-tokens.js'

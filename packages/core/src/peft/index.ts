export * from './adapters/index.js'
export { AdaptedEmbedding } from './adapted-embedding.js'
export { AdaptedLinear } from './adapted-linear.js'
export { readAdapterConfig, type AdapterConfigReader } from './adapter-config.js'
export type { AdaptedLayer, AdapterTensor, MergedWeights } from './adapted-layer.js'
export { isSavedWithBase, modulePrefix, sharedPrefix } from './names.js'
export { ModuleHandle, type ModuleParts } from './module-handle.js'
export { moduleMethod, type LayerPlace, type ModuleMethod } from './module-method.js'
export {
  besideFields,
  besideOptions,
  patternFields,
  patternOptions,
  targetFields,
  targetOptions,
  tokenRowsField,
  type ModuleOptions,
} from './options.js'
export { fullMatcher } from './python-regex/index.js'
export { moduleSetting, optionsOf, settingError, type Setting } from './setting.js'
export type { TokenRowsRequest } from './place-token-rows.js'
export { tokenRowsOption } from './trainable-token-indices.js'
export {
  constant,
  kaimingUniform,
  normal,
  ones,
  startTensor,
  uniform,
  values,
  zeros,
  type Start,
} from './start.js'
export { linearLayers, linearLayersAndEmbeddings, patternTable, type TargetKind } from './targets.js'
export { fanInFanOut } from './write-config.js'

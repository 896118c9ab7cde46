export { openAdapter, writeAdapter, type AdapterExtras } from './adapter.js'
export {
  ggufConfig,
  ggufGeneration,
  ggufModelsAt,
  GgufNames,
  ggufTensors,
  mapGguf,
  openGguf,
  toGgufValues,
  writeGguf,
  type GgufFile,
  type GgufPlace,
  type GgufTensorToWrite,
  type GgufTensorValues,
} from './gguf/index.js'
export { saveModel, type SaveModelOptions } from './save-model.js'
export type { BlockDType } from './blocks/index.js'
export { blockSize, encodeFloats, type PlainDType, type StoredDType, type WrittenDType } from './numbers.js'
export {
  fromTensor,
  openSafetensors,
  writeSafetensors,
  type Safetensors,
  type TensorToWrite,
} from './safetensors.js'
export { writeSharded, type ShardOptions } from './sharded.js'
export { openCheckpoint } from './source.js'
export { loadStored, readStored, readValues, type StoredRows, type StoredTensor } from './stored.js'
export { initializeWeights, loadWeights, type LoadOptions } from './weights.js'
export { openTorch, type TorchFile } from './torch.js'
export { writeTorch, type TorchTensorToWrite } from './torch-write.js'
export { WeightSource, type CheckpointFormat } from './weight-source.js'

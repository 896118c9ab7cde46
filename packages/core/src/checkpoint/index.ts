export {
  hashFile,
  hashList,
  replaceDir,
  verifyFolder,
  writeFileAtomic,
  writeHashes,
  type Content,
  type ReplaceOptions,
} from './atomic.js'
export type { BlockDType, PlainDType, StoredDType } from './numbers.js'
export {
  fromMemory,
  fromTensor,
  openSafetensors,
  writeSafetensors,
  type Safetensors,
  type TensorToWrite,
} from './safetensors.js'
export { isShardName, writeSharded, type ShardOptions } from './sharded.js'
export { openCheckpoint, WeightSource, type CheckpointFormat } from './source.js'
export { loadStored, readStored, readValues, type StoredTensor } from './stored.js'
export { initializeWeights, loadWeights, parameterBytes, type LoadOptions } from './weights.js'

export {
  hashFile,
  hashList,
  readHashes,
  replaceDir,
  verifyFolder,
  writeFileAtomic,
  writeHashList,
  type Content,
  type FileHash,
  type ReplaceOptions,
} from './atomic.js'
export { isDataFile } from './data-names.js'
export { isDiskFull, writeFailed } from './errors.js'
export { refuseInputs, type Input } from './inputs.js'
export { localPath } from './paths.js'
export { mostVocabularyBytes } from './bounds.js'
export { processStart } from './process.js'
export { jsonObject, parseJson, readJson, type JsonOptions, type Shape } from './read-json.js'
export { readRegular, readRegularSync, streamRegular } from './regular-file.js'
export { refuseUnwritable } from './writable.js'

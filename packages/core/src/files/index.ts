export {
  hashList,
  replaceDir,
  verifyFolder,
  writeFileAtomic,
  type Content,
  type ReplaceOptions,
} from './atomic.js'
export { isDiskFull, writeFailed } from './errors.js'
export { refuseInputs, type Input } from './inputs.js'
export { localPath } from './paths.js'
export { processStart } from './process.js'

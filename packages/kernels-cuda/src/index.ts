export { openCuda, type CudaOptions } from './open.js'
export { plugin } from './plugin.js'

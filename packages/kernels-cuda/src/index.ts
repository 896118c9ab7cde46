export type { Finding, KernelFacts } from './addon.js'
export { openCuda, probeCuda, type CudaOptions } from './open.js'
export { plugin } from './plugin.js'

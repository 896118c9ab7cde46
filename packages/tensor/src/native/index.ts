export type { Failure, NativeAddon, Outcome } from './addon.js'
export { NativeBackend } from './backend.js'
export { errorOf, raise, valueOf } from './failure.js'

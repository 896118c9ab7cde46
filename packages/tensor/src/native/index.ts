export type { Failure, NativeAddon, Outcome } from './addon.js'
export { NativeBackend } from './backend.js'
export { NativeCommunicator, type CommAddon, type World } from './communicator.js'
export { errorOf, raise, valueOf } from './failure.js'

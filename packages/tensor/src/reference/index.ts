export { referenceBackend, type ReferenceOptions } from './backend.js'

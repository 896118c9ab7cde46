export { countingBackend } from './backend.js'

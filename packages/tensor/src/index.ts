export * from './backend.js'
export * from './dtype.js'
export * from './errors.js'

export { AdapterSet, type AdapterToLoad } from './adapter-set.js'
export { combineAdapters, MemoryAdapter } from './combine.js'
export { type RowGroup, type RowGroups } from './row-groups.js'

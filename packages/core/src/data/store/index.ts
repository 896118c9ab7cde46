export { SampleStoreBuilder, type BuilderOptions } from './builder.js'
export { alone, cacheSize, pruneCache, touchFile, type CacheLimits } from './cache-folder.js'
export { SampleStore, type SampleSource, type StoreCounts } from './sample-store.js'
export { RowSamples } from './row-samples.js'

export { pathOf } from './path-of.js'
export { resolveSource } from './resolve.js'
export { parseHubId } from './spec.js'
export type { ResolvedSource, SourceKind, ResolveOptions, SourceProgress } from './types.js'

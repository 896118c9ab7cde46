// What authors of dataset packages build from: `@ift/core/collection`.
export * from './data/collection/index.js'
export { defineCollection } from './plugin/collection.js'
export { checkCard, type Card } from './plugin/card.js'
// The declarations of a package name the type of its plugin by this entry.
export type { IftPlugin } from './plugin/define.js'

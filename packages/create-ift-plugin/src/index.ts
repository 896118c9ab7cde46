export { main, type Surroundings } from './main.js'
export { nouns, type PluginNames, type PluginNoun } from './nouns/index.js'
export { scaffold, writeFiles, type ScaffoldRequest } from './scaffold.js'
export type { Ask } from './ask.js'

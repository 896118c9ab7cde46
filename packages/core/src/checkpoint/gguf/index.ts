export { openGguf, type GgufFile } from './header.js'
export { ggufConfig, ggufGeneration, mapGguf } from './map.js'
export { GgufNames, toGgufValues, type GgufPlace } from './names.js'
export { firstPart, openGgufParts } from './parts.js'

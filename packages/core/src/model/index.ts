export { alibiSlopes } from './alibi.js'
export {
  configError,
  flag,
  given,
  integer,
  object,
  oneOf,
  onlyKnown,
  positive,
  windowedLayers,
  type ConfigJson,
} from './fields.js'
export {
  attentionFactor,
  frequencyKey,
  inverseFrequencies,
  longestSequence,
  parseRope,
  ropeFields,
  rotaryPart,
  type RopeConfig,
  type RopeLimits,
} from './rope.js'
export { ggufDecoderConfig, ggufPlace } from './gguf.js'

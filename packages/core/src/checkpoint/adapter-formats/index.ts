import { adapterHubFormat } from './adapter-hub.js'
import type { AdapterFormat, WritableFormat } from './format.js'
import { peftFormat } from './peft.js'
import { prefixEncoderFormat } from './prefix-encoder.js'

/** Every format that is read. No folder is of two. */
export const adapterFormats: readonly AdapterFormat[] = [peftFormat, adapterHubFormat, prefixEncoderFormat]

/** Formats that are written, by the names that `AdapterFiles.format` has for them. */
export const writableFormats = {
  peft: peftFormat,
  'adapter-hub': adapterHubFormat,
} as const satisfies Readonly<Record<string, WritableFormat>>

export type { AdapterConfig, OpenAdapter } from './format.js'
export { isPrefixEncoder } from './prefix-encoder.js'

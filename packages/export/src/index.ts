import { defineExport, definePlugin, defineVerb } from '@ift/core'
import { gguf } from './gguf/model.js'
import { exportVerb } from './verb.js'

export { exportModel, type ExportRequest, type ExportResult } from './export-model.js'

/** The formats of this package. */
export const formats = [gguf]

export const plugin = definePlugin('export', (host) => {
  host.use(defineVerb(exportVerb))
  for (const format of formats) host.use(defineExport(format))
})

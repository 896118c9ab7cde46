import { defineExport, definePlugin, defineVerb } from '@ift/core'
import { mlxAdapter } from './adapter/mlx.js'
import { vllm } from './adapter/vllm.js'
import { ggufAdapter } from './gguf/adapter.js'
import { gguf } from './gguf/model.js'
import { hf } from './hf.js'
import { meta } from './meta.js'
import { ollama } from './ollama.js'
import { exportVerb } from './verb.js'

export { exportModel, type ExportRequest, type ExportResult } from './export-model.js'

const formats = [gguf, ggufAdapter, hf, meta, mlxAdapter, ollama, vllm]

export const plugin = definePlugin('export', (host) => {
  host.use(defineVerb(exportVerb))
  for (const format of formats) host.use(defineExport(format))
})

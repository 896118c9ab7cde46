import { verb } from '@ift/core'
import { exportModel } from './export-model.js'
import { verifyWithLlama } from './verify.js'

export const exportVerb = verb({
  name: 'export',
  description: 'Write a model or adapter as another engine reads it.',
  example: 'npx ift export gguf ./model.gguf --adapter ./run/adapter --type q8_0',
  help: 'Formats and what each engine reads: docs/export.md. What is written is read back and compared.',
  config: ['weights', 'adapter', 'template', 'tokenizer', 'quantize', 'dtype', 'device'],
  operands: {
    format: {
      description: 'gguf, gguf-adapter, ollama, hf, meta, mlx-adapter, vllm, or a format of a package',
      required: true,
    },
    out: { description: 'file or folder to write', required: true },
  },
  options: {
    type: {
      type: 'string',
      description:
        'gguf, ollama: f32, f16, bf16, q8_0, q6_k, q5_0, q4_k_m or q4_0; hf, meta: f32, f16 or bf16',
    },
    maxShardSize: {
      type: 'string',
      value: 'size',
      description: 'hf: most bytes of a file, such as 400MB; 5GB when absent',
    },
    base: {
      type: 'string',
      value: 'name',
      description: 'ollama: the model that an adapter goes onto, which is then written alone',
    },
    maxLoraRank: {
      type: 'integer',
      min: 1,
      description: 'vllm: the largest rank that the server is to load',
    },
    pre: {
      type: 'string',
      value: 'name',
      description: "gguf: llama.cpp's name for how the tokenizer splits text",
    },
    overwrite: { type: 'boolean', description: 'replace what is there' },
    verify: {
      type: 'boolean',
      description: 'run llama.cpp (npm i -D node-llama-cpp) on what was written and compare its answer',
    },
  },
  async run({ terminal, session, operands, options }) {
    const note = (text: string) => {
      terminal.note(text)
    }
    const { format, out } = operands
    const { overwrite } = options
    const result = await exportModel(session, { format, out, overwrite, options }, note)
    const verified = !options.verify || (await verifyWithLlama(result, note))
    if (result.next !== undefined) note(result.next)
    return (result.difference?.fits ?? true) && verified ? 0 : 1
  },
})

// @ts-check
// ift as an engine of requests.mjs.
//   node bench/requests-ift.mjs --weights FOLDER --as bf16|f32|nf4|int8|gguf --threads 2 --sequences 32 [--no-deterministic]
// gguf: the blocks of the file as they lie, activations in bf16.
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Ift, version } from '@ift/core'
import { serveRequests } from './requests.mjs'

const { values } = parseArgs({
  options: {
    weights: { type: 'string', default: '' },
    as: { type: 'string', default: 'bf16' },
    threads: { type: 'string', default: '2' },
    sequences: { type: 'string', default: '32' },
    deterministic: { type: 'boolean', default: true },
  },
  allowNegative: true,
})
const isType = values.as === 'bf16' || values.as === 'f32'
const quantize = isType ? 'none' : values.as === 'gguf' ? 'auto' : values.as
const ift = await Ift.load({
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  config: {
    weights: values.weights,
    template: 'chat',
    device: 'cpu',
    threads: Number(values.threads),
    dtype: /** @type {'bf16' | 'f32'} */ (isType ? values.as : 'bf16'),
    quantize: /** @type {'none' | 'auto' | 'nf4' | 'int8'} */ (quantize),
  },
})
const open = await ift.openModel()
if ((values.as === 'gguf') !== (open.quantize === 'blocks'))
  throw new Error(`--as ${values.as}: the weights are held as ${open.quantize}`)
const { deterministic } = values
const generator = await ift.createGenerator(open, { maxSequences: Number(values.sequences), deterministic })
const about = { ift: version, node: process.version, device: open.backend.device.description, deterministic }
await serveRequests(about, async ({ prompt, tokens }, onText) => {
  const options = { maxNewTokens: tokens, minNewTokens: tokens }
  const { ids, text } = await generator.generate(Int32Array.from(prompt), options, { onText })
  return { tokens: ids.length, text }
})
await ift.close()

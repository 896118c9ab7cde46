// One measurement of a device, printed as a line of JSON. scripts/gpu/pack bundles this with all it needs into one file,
// which scripts/gpu/check runs on a machine with a GPU:
//   node run.mjs kernels|weights|train|decode|ranks --device cuda …
// The cases of smoke and conformance give a line each: all of them, those that are named, or with --list their names.
//   node run.mjs smoke|conformance [--list] [CASE …]
import { parseArgs } from 'node:util'

import { modelFolder, shapes } from '../shapes.mjs'
import { listCases, runCases, type Case } from './cases.js'
import { conformanceCases } from './conformance.js'
import { decode } from './decode.js'
import { deviceName, isUsable, type DeviceName } from './device.js'
import { kernels } from './kernels.js'
import { ranks } from './ranks.js'
import { smokeCases } from './smoke.js'
import { train } from './train.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    device: { type: 'string', default: 'cuda' },
    list: { type: 'boolean', default: false },
    small: { type: 'boolean', default: false },
    model: { type: 'string', default: 'llama-7b' },
    weights: { type: 'string' },
    batch: { type: 'string', default: '4' },
    seq: { type: 'string', default: '512' },
    steps: { type: 'string', default: '6' },
    warmup: { type: 'string', default: '2' },
    rank: { type: 'string', default: '16' },
    dtype: { type: 'string', default: 'bf16' },
    recompute: { type: 'string', default: 'none' },
    alpaca: { type: 'boolean', default: false },
    nf4: { type: 'boolean', default: false },
    tokens: { type: 'string', default: '128' },
    profile: { type: 'boolean', default: false },
    keep: { type: 'string' },
    ranks: { type: 'string', default: '1' },
    nccl: { type: 'string' },
    'peak-tflops': { type: 'string', default: '989' },
  },
})

/** Weights of the linear layers that multiply a token, the head included. */
function parameters(model: string): number {
  const shape = shapes[model]
  if (!shape) return 0
  const { hidden_size: hidden, intermediate_size: inner, vocab_size: vocab } = shape
  const kv = (hidden / shape.num_attention_heads) * shape.num_key_value_heads
  return (
    shape.num_hidden_layers * (2 * hidden * hidden + 2 * hidden * kv + 3 * hidden * inner) + vocab * hidden
  )
}

const caseSets: Readonly<Record<string, (device: DeviceName) => Case[]>> = {
  smoke: smokeCases,
  conformance: conformanceCases,
}

async function run(device: DeviceName): Promise<object> {
  const weights = () => values.weights ?? modelFolder(values.model)
  switch (positionals[0]) {
    case 'kernels':
      return kernels(device, values.small)
    case 'weights':
      return { folder: weights() }
    case 'decode':
      return decode(device, weights(), Number(values.tokens), Number(values.batch))
    case 'train':
      return train(device, {
        weights: weights(),
        batch: Number(values.batch),
        seq: Number(values.seq),
        steps: Number(values.steps),
        warmup: Number(values.warmup),
        rank: Number(values.rank),
        dtype: values.dtype === 'f32' ? 'f32' : 'bf16',
        recompute: values.recompute === 'all' ? 'all' : 'none',
        alpaca: values.alpaca,
        nf4: values.nf4,
        parameters: parameters(values.model),
        peakTflops: Number(values['peak-tflops']),
        profile: values.profile,
        keep: values.keep,
      })
    case 'ranks':
      if (device === 'cpu') throw new Error('ranks --device cpu: expected cuda or emulated')
      return ranks(device, Number(values.ranks), values.small ? 1 << 16 : 1 << 26, values.nccl ?? null)
    default:
      throw new Error(
        `${positionals[0] ?? 'no measurement'}: expected smoke, conformance, kernels, weights, train, decode or ranks`,
      )
  }
}

const device = deviceName(values.device)
const [measurement = '', ...names] = positionals
const cases = caseSets[measurement]?.(device)
if (!cases) process.stdout.write(`${JSON.stringify(await run(device))}\n`)
else if (values.list) listCases(cases)
// A device that hangs must not keep a process whose answer is written.
else process.exit((await runCases(cases, names, () => isUsable(device))) ? 0 : 1)

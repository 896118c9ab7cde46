import { freemem } from 'node:os'
import { itemSize, QuantizedParameter } from '@ift/tensor'
import type { ResolvedConfig } from '../config/schema.js'
import type { ChosenOptimizer } from '../train/optimizer/optimizer.js'
import { plan, type Plan } from '../train/plan.js'
import type { RemedyInput } from '../train/remedies.js'
import { stateBytes } from '../train/trainable-chunk.js'
import type { RunData } from './open-data.js'
import type { OpenModel } from './open-model.js'
import { virtualLength, virtualRows } from '../data/virtual-tokens.js'

const elements = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)

/** Share of a device's own memory that buffers can have: the rest is the driver's and what lies between them. */
const usable = 0.94

/** Bytes that a run may use; null when unknown. */
export const budget = (config: ResolvedConfig, open: OpenModel): number | null => {
  if (config.train.memory !== undefined) return config.train.memory * 2 ** 30
  const { memory } = open.backend.device
  if (memory !== undefined) return memory * usable
  // Other ranks of this machine may take as much.
  const share = open.backend.comm?.worldSize ?? 1
  return open.backend.device.kind === 'cpu'
    ? (freemem() * 0.9) / share + open.backend.memory().allocated
    : null
}

/** Tokens of a micro-batch, virtual rows included: the option, or the longest sample, which is never cut. */
export const microBatchTokens = (
  { train }: ResolvedConfig,
  { peft, model }: Pick<OpenModel, 'peft' | 'model'>,
  { longest }: RunData,
): number => Math.max(train.microBatchTokens, longest + (virtualRows(peft, model)?.rows ?? 0))

/**
 * Keys of virtual tokens that a layer keeps for a micro-batch of `tokens`: a copy for each sample, of which there are as many as
 * samples of average length.
 */
function virtualKeys({ train }: ResolvedConfig, { peft, model }: OpenModel, data: RunData, tokens: number) {
  const virtual = virtualLength(peft).tokens
  const rows = virtualRows(peft, model)
  if (virtual === 0 || rows?.copies === 'each') return 0
  const { count } = data.train
  let all = 0
  for (let i = 0; i < count; i++) all += data.train.length(i)
  const samples = Math.max(1, Math.floor((tokens - (rows?.rows ?? 0)) / (all / count)))
  return virtual * Math.min(samples, count, train.tokensPerStep === undefined ? train.batchSize : Infinity)
}

/** Input of the plan for this configuration, model and data. */
export function planInput(
  config: ResolvedConfig,
  open: OpenModel,
  data: RunData,
  { definition, options }: ChosenOptimizer,
): RemedyInput {
  let parameters = 0
  const quantized = { elements: 0, bytes: 0, largest: 0 }
  for (const [, parameter] of open.model.namedParameters()) {
    const size = elements(parameter.shape)
    parameters += size
    if (!(parameter instanceof QuantizedParameter)) continue
    quantized.elements += size
    quantized.bytes += parameter.quantized.bytes
    quantized.largest = Math.max(quantized.largest, size)
  }
  const trainable = open.trainable.reduce((sum, { parameter }) => sum + elements(parameter.shape), 0)
  const tokens = microBatchTokens(config, open, data)
  return {
    shape: open.shape,
    dtype: open.dtype,
    parameters,
    trainable,
    optimizerState: stateBytes(
      open.trainable.map(({ parameter }) => parameter.shape),
      (shape) => definition.state(shape, options),
    ),
    quantized,
    method: open.peft?.memory?.() ?? null,
    methodState: [...(open.peft?.state?.() ?? [])].reduce(
      (sum, [, { size, dtype }]) => sum + size * itemSize(dtype),
      0,
    ),
    tokens,
    virtualKeys: virtualKeys(config, open, data, tokens),
    trainedTokens: tokens,
    budget: budget(config, open),
    maxLength: data.limit.tokens + data.limit.virtual,
    full: open.peft === null,
  }
}

/** Plan of the memory of the run and of the layers to recompute. */
export function planTraining({ train }: ResolvedConfig, input: RemedyInput): Plan {
  const { recompute } = train
  return plan(input, recompute === 'auto' ? 'auto' : recompute === 'all' ? input.shape.layers : 0)
}

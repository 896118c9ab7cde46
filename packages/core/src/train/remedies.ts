import { plan, type Plan, type PlanInput } from './plan.js'

/** A setting that makes a run smaller. */
export interface Remedy {
  /** As the command line takes it. */
  readonly flag: string
  /** Bytes that the plan loses by it. */
  readonly saves: number
  readonly fits: boolean
}

/** Facts of the configuration that remedies change. */
export interface RemedyInput extends PlanInput {
  readonly maxLength: number
  /** Whether the weights themselves are trained, all of them. */
  readonly full: boolean
}

/** Bytes of a weight in NF4 with its scales, which are quantised in turn (QLoRA, Dettmers et al. 2023). */
const nf4Bytes = 0.516

/** The linear layers of the decoder, held in NF4. */
function inNf4({ shape, parameters }: PlanInput): NonNullable<PlanInput['quantized']> {
  const { hidden, intermediate, heads, kvHeads, headDim, layers } = shape
  const largest = hidden * Math.max(intermediate, heads * headDim)
  const layer = hidden * (2 * heads + 2 * kvHeads) * headDim + 3 * hidden * intermediate
  const elements = Math.min(layer * layers, parameters)
  return { elements, bytes: elements * nf4Bytes, largest }
}

/**
 * Settings under which a run holds less than `planned`, each alone: those that fit into `limit` bytes first, and among them
 * the one that saves most.
 */
export function remedies(input: RemedyInput, planned: Plan, limit: number): Remedy[] {
  const layers = planned.recomputeLayers
  const found: Remedy[] = []
  const offer = (flag: string, changed: Partial<PlanInput>, recomputed = layers) => {
    const { total } = plan({ ...input, ...changed }, recomputed)
    if (total < planned.total) found.push({ flag, saves: planned.total - total, fits: total <= limit })
  }
  if (layers < input.shape.layers) offer('--train.recompute all', {}, input.shape.layers)
  // A sequence must still pass as a whole.
  let tokens = input.tokens
  while (tokens > input.maxLength) {
    tokens = Math.max(input.maxLength, Math.ceil(tokens / 2))
    const { total } = plan({ ...input, tokens, trainedTokens: tokens }, layers)
    if (total <= limit) break
  }
  if (tokens < input.tokens) offer(`--train.microBatchTokens ${tokens}`, { tokens, trainedTokens: tokens })
  const half = Math.ceil(input.maxLength / 2)
  if (half < input.tokens && half >= 64)
    offer(`--maxLength ${half} --train.microBatchTokens ${half}`, { tokens: half, trainedTokens: half })
  if (input.full) {
    // Of rank 8 on every linear layer.
    const { hidden, heads, kvHeads, headDim, intermediate, layers: count } = input.shape
    const sides = 4 * hidden + (2 * heads + 2 * kvHeads) * headDim + 3 * (hidden + intermediate)
    const trainable = 8 * sides * count
    const optimizerState = (input.optimizerState / input.trainable) * trainable
    offer('--peft.method lora', { trainable, optimizerState, method: { activationsPerToken: 7 * 8 } })
  } else if (!input.quantized?.elements) offer('--quantize nf4', { quantized: inNf4(input) })
  if (input.dtype === 'f32') offer('--dtype bf16', { dtype: 'bf16' })
  return found.sort((a, b) => Number(b.fits) - Number(a.fits) || b.saves - a.saves)
}

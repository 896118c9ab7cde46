import { IftError, type FloatDType, type QuantFormat } from '@ift/tensor'
import type { CountedMemory } from './count-memory.js'
import { fitsInto, type Plan } from './plan.js'

/** Settings that the memory of a run depends on, besides its model and data. */
export interface MemorySettings {
  readonly recomputeLayers: number
  readonly microBatchTokens: number
  /** Tokens of a sample at most, virtual ones included. */
  readonly maxLength: number
  readonly dtype: FloatDType
  readonly quantize: QuantFormat | 'none' | 'blocks'
  /** `attached`: the one of the run; `none`: the model itself is trained; else the name of one with its usual options. */
  readonly method: string
}

/** A setting that makes a run smaller. */
export interface Remedy {
  /** As the command line takes it. */
  readonly flag: string
  /** Bytes that the plan loses by it. */
  readonly saves: number
  /** Whether a plan with it would fit. */
  readonly fits: boolean
}

/** A run whose memory can be counted under other settings. */
export interface RemedyInput {
  readonly layers: number
  readonly settings: MemorySettings
  /** Memory of the run under these settings; throws an `IftError` for those that it cannot have. */
  readonly count: (settings: MemorySettings) => Promise<CountedMemory>
}

/** A sequence of fewer tokens is hardly worth training on. */
const shortest = 64

/**
 * Settings under which a run holds less than `planned`, each alone: those that fit into `limit` bytes first, and among them
 * the one that saves most.
 */
export async function remedies(
  { layers, settings, count }: RemedyInput,
  planned: Plan,
  limit: number,
): Promise<Remedy[]> {
  const { microBatchTokens, maxLength, dtype, quantize, method } = settings
  const found: Remedy[] = []
  const memoryWith = async (changed: Partial<MemorySettings>): Promise<CountedMemory | null> => {
    try {
      return await count({ ...settings, recomputeLayers: planned.recomputeLayers, ...changed })
    } catch (error) {
      if (error instanceof IftError) return null
      throw error
    }
  }
  const offer = (flag: string, memory: CountedMemory | null) => {
    if (memory !== null && memory.peak < planned.total)
      found.push({ flag, saves: planned.total - memory.peak, fits: fitsInto(limit, memory) })
  }
  const consider = async (flag: string, changed: Partial<MemorySettings>) => {
    offer(flag, await memoryWith(changed))
  }
  if (planned.recomputeLayers < layers) await consider('--train.recompute all', { recomputeLayers: layers })
  // A sequence must still pass as a whole.
  let [tokens, memory]: [number, CountedMemory | null] = [microBatchTokens, null]
  while (tokens > maxLength && (memory === null || !fitsInto(limit, memory))) {
    tokens = Math.max(maxLength, Math.ceil(tokens / 2))
    memory = await memoryWith({ microBatchTokens: tokens })
  }
  offer(`--train.microBatchTokens ${tokens}`, memory)
  const half = Math.ceil(maxLength / 2)
  if (half < microBatchTokens && half >= shortest)
    await consider(`--maxLength ${half} --train.microBatchTokens ${half}`, {
      ...{ maxLength: half, microBatchTokens: half },
    })
  if (method === 'none') await consider('--peft.method lora', { method: 'lora' })
  else if (quantize === 'none') await consider('--quantize nf4', { quantize: 'nf4' })
  if (dtype === 'f32') await consider('--dtype bf16', { dtype: 'bf16' })
  return found.sort((a, b) => Number(b.fits) - Number(a.fits) || b.saves - a.saves)
}

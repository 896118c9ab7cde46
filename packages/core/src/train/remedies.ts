import { IftError, type FloatDType, type QuantFormat } from '@ift/tensor'
import type { Plan } from './plan.js'

/** Settings that the memory of a run depends on, besides its model and data. */
export interface MemorySettings {
  readonly recomputeLayers: number
  readonly microBatchTokens: number
  /** Tokens of a sample at most, virtual ones included. */
  readonly maxLength: number
  readonly dtype: FloatDType
  readonly quantize: QuantFormat | 'none'
  /** `attached`: the one of the run; `none`: the model itself is trained; else the name of one with its usual options. */
  readonly method: string
}

/** A setting that makes a run smaller. */
export interface Remedy {
  /** As the command line takes it. */
  readonly flag: string
  /** Bytes that the plan loses by it. */
  readonly saves: number
  readonly fits: boolean
}

/** A run whose memory can be counted under other settings. */
export interface RemedyInput {
  readonly layers: number
  readonly settings: MemorySettings
  /** Bytes of the run under these settings at most; throws an `IftError` for those that it cannot have. */
  readonly total: (settings: MemorySettings) => Promise<number>
}

/** A sequence of fewer tokens is hardly worth training on. */
const shortest = 64

/**
 * Settings under which a run holds less than `planned`, each alone: those that fit into `limit` bytes first, and among them
 * the one that saves most.
 */
export async function remedies(
  { layers, settings, total }: RemedyInput,
  planned: Plan,
  limit: number,
): Promise<Remedy[]> {
  const { microBatchTokens, maxLength, dtype, quantize, method } = settings
  const found: Remedy[] = []
  const bytesOf = async (changed: Partial<MemorySettings>): Promise<number | null> => {
    try {
      return await total({ ...settings, recomputeLayers: planned.recomputeLayers, ...changed })
    } catch (error) {
      if (error instanceof IftError) return null
      throw error
    }
  }
  const offer = (flag: string, bytes: number | null) => {
    if (bytes !== null && bytes < planned.total)
      found.push({ flag, saves: planned.total - bytes, fits: bytes <= limit })
  }
  const consider = async (flag: string, changed: Partial<MemorySettings>) => {
    offer(flag, await bytesOf(changed))
  }
  if (planned.recomputeLayers < layers) await consider('--train.recompute all', { recomputeLayers: layers })
  // A sequence must still pass as a whole.
  let [tokens, bytes]: [number, number | null] = [microBatchTokens, null]
  while (tokens > maxLength && (bytes === null || bytes > limit)) {
    tokens = Math.max(maxLength, Math.ceil(tokens / 2))
    bytes = await bytesOf({ microBatchTokens: tokens })
  }
  offer(`--train.microBatchTokens ${tokens}`, bytes)
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

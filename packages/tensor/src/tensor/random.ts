import { IftError } from '../errors.js'

/** Key of the random numbers of one forward pass; besides it only the order of operations counts. */
export interface RandomKey {
  readonly seed: number
  /** Optimiser step. */
  readonly step: number
  /** Micro-batch of the step, counted over all ranks. */
  readonly micro: number
}

/** @internal Philox seed of the pass and the next stream to draw. */
export interface RandomState {
  readonly seed: number
  stream: number
}

let current: RandomState | null = null

/**
 * Keys the random operations inside `fn`: the k-th of them draws stream k of a Philox seed made from `key`. The same key
 * gives the same numbers, whatever ran before.
 */
export const withRandom = <T>(key: RandomKey, fn: () => T): T =>
  withRandomState({ seed: philoxSeed(key), stream: 0 }, fn)

/** @internal Runs `fn` with this state, which it advances. */
export function withRandomState<T>(state: RandomState | null, fn: () => T): T {
  const before = current
  current = state
  try {
    return fn()
  } finally {
    current = before
  }
}

/** @internal A copy of the state to replay from, or null outside `withRandom`. */
export const randomState = (): RandomState | null =>
  current === null ? null : { seed: current.seed, stream: current.stream }

/** @internal The stream of the next random operation. */
export function drawStream(op: string): { readonly seed: number; readonly stream: number } {
  if (current === null) {
    throw new IftError(
      'IFT_RANDOM_UNKEYED',
      `${op}: no random key is set`,
      'Run the forward pass inside withRandom({ seed, step, micro }, () => ...).',
    )
  }
  return { seed: current.seed, stream: current.stream++ }
}

/** 53 bits that differ for different keys: two rounds of MurmurHash3's 32-bit mixing over the three numbers. */
function philoxSeed(key: RandomKey): number {
  let high = 0x9e3779b9
  let low = 0x85ebca6b
  for (const value of [key.seed, key.step, key.micro]) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new IftError(
        'IFT_RANDOM_KEY',
        `withRandom: seed, step and micro are non-negative integers below 2^53, found ${value}`,
      )
    }
    for (const word of [value >>> 0, Math.floor(value / 4294967296)]) {
      high = mix(high ^ word)
      low = mix(Math.imul(low, 31) ^ word ^ high)
    }
  }
  return (mix(high ^ low) & 0x1fffff) * 4294967296 + low
}

function mix(x: number): number {
  let h = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

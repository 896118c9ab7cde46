import { IftError, placesTaken, type CausalLM } from '@ift/tensor'
import type { ModelShape, PeftHandle, VirtualLength } from '../contract/index.js'
import type { VirtualRowsOf } from './pack.js'

export const noVirtualTokens: VirtualLength = { tokens: 0, places: 0 }

/** Those of a method as it is now. */
export function virtualLength(peft: PeftHandle | null): VirtualLength {
  const prefix = peft?.prefix
  return prefix === undefined ? noVirtualTokens : { tokens: prefix.length, places: placesTaken(prefix) }
}

/** "20 virtual tokens", behind `before`; nothing where there are none. */
export const saidVirtual = (tokens: number, before: string): string =>
  tokens === 0 ? '' : `${before}${tokens} virtual token${tokens === 1 ? '' : 's'}`

/** Rows that a micro-batch has besides those of its samples; undefined where it has none. */
export function virtualRows(
  peft: PeftHandle | null,
  model: Pick<CausalLM, 'promptOf'>,
): VirtualRowsOf | undefined {
  const prefix = peft?.prefix
  if (prefix === undefined || !('rows' in prefix)) return undefined
  return { rows: prefix.length, copies: model.promptOf === undefined ? 'one' : 'each' }
}

/** Positions that are left for the tokens of a sequence; null when nothing limits them. */
export const positionsLeft = ({ places }: VirtualLength, { maxPositions }: ModelShape): number | null =>
  maxPositions === null ? null : maxPositions - places

/** A sequence of fewer tokens has nothing to predict. */
const fewest = 2

/** The most tokens of a sample, and the limit that decides. */
export interface SampleLimit {
  readonly tokens: number
  /** The option, or the positions of the model. */
  readonly by: 'maxLength' | 'model'
  /** Virtual tokens in front of every sample, which both limits count. */
  readonly virtual: number
}

/** Throws `IFT_PEFT_NO_ROOM` where virtual tokens leave no sample. */
export function sampleLimit(virtual: VirtualLength, shape: ModelShape, maxLength: number): SampleLimit {
  const own = maxLength - virtual.tokens
  if (virtual.tokens > 0 && own < fewest)
    throw noRoom(virtual.tokens, maxLength, `the ${maxLength} tokens of maxLength`)
  const left = requireRoom(virtual, shape) ?? Infinity
  return { tokens: Math.min(own, left), by: left < own ? 'model' : 'maxLength', virtual: virtual.tokens }
}

/** `positionsLeft`, which must be enough for a text: throws `IFT_PEFT_NO_ROOM` where they are not. */
export function requireRoom(virtual: VirtualLength, shape: ModelShape): number | null {
  const left = positionsLeft(virtual, shape)
  if (virtual.places > 0 && left !== null && left < fewest)
    throw noRoom(virtual.tokens, shape.maxPositions!, `the ${shape.maxPositions} positions of the model`)
  return left
}

const noRoom = (found: number, limit: number, of: string) =>
  new IftError(
    'IFT_PEFT_NO_ROOM',
    `peft.virtualTokens expected at most ${Math.max(0, limit - fewest)}, which leaves ${fewest} of ${of}, found ${found}.`,
    'Take fewer virtual tokens (peft.virtualTokens), or a longer limit.',
  )

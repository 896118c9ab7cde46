import { IftError, placesTaken, type CausalLM } from '@ift/tensor'
import type { ModelShape, PeftHandle } from '../contract/index.js'
import type { VirtualRowsOf } from './pack.js'

/** A model with the method on it, as far as lengths go. */
interface Behind {
  readonly peft: PeftHandle | null
  readonly shape: ModelShape
}

/** A sequence of fewer tokens has nothing to predict. */
const fewest = 2

/** Virtual tokens in front of every sequence. */
export const virtualTokens = (peft: PeftHandle | null): number => peft?.prefix?.length ?? 0

/** "20 virtual tokens", in front of which `before` stands; nothing where there are none. */
export const saidVirtual = (virtual: number, before: string): string =>
  virtual === 0 ? '' : `${before}${virtual} virtual token${virtual === 1 ? '' : 's'}`

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
export function positionsLeft({ peft, shape: { maxPositions } }: Behind): number | null {
  if (maxPositions === null) return null
  const prefix = peft?.prefix
  return maxPositions - (prefix === undefined ? 0 : placesTaken(prefix))
}

/** Most tokens of a sample under `maxLength`, and the limit that decides. */
export function sampleLimit(
  behind: Behind,
  maxLength: number,
): { readonly tokens: number; readonly by: 'maxLength' | 'model' } {
  const virtual = virtualTokens(behind.peft)
  const left = positionsLeft(behind) ?? Infinity
  const own = maxLength - virtual
  if (virtual > 0 && own < fewest)
    throw noRoom(virtual, maxLength - fewest, `the ${maxLength} tokens of maxLength`)
  return { tokens: Math.min(own, left), by: left < own ? 'model' : 'maxLength' }
}

/** Refuses virtual tokens that leave no position for a text. */
export function requireRoom(behind: Behind): void {
  const left = positionsLeft(behind)
  const virtual = virtualTokens(behind.peft)
  if (virtual > 0 && left !== null && left < fewest)
    throw noRoom(
      virtual,
      behind.shape.maxPositions! - fewest,
      `the ${behind.shape.maxPositions} positions of the model`,
    )
}

const noRoom = (found: number, most: number, of: string) =>
  new IftError(
    'IFT_PEFT_NO_ROOM',
    `peft.numVirtualTokens expected at most ${Math.max(0, most)}, which leaves ${fewest} of ${of}, found ${found}.`,
    'Take fewer virtual tokens (peft.numVirtualTokens), or a longer limit.',
  )

import type { Backend } from '../backend.js'
import { tensor } from '../tensor/create.js'
import type { Tensor } from '../tensor/tensor.js'

/** The part of a sequence that is read in both directions (GLM's prefix LM; Du et al. 2022, arXiv:2103.10360). */
export interface PromptSpan {
  /** Rows at the start of the sequence that all of its rows see. */
  readonly length: number
  /** Place of the blank that is filled: the first position of every row behind the prompt. */
  readonly blank: number
}

/** Mask and two-dimensional positions of the rows of a forward pass. Its tensors belong to the scope it is made in. */
export interface PromptLayout {
  /** i32 [sequences]: keys of each sequence, from its first one, that all of its rows see. */
  readonly visiblePrefix: Tensor
  /** i32 [N]: place in the prompt, and behind it the place of the blank. */
  readonly positions: Tensor
  /** i32 [N]: 0 in the prompt, behind it 1, 2, 3, … */
  readonly blockPositions: Tensor
}

/** Keys in front of every sequence that stand for no rows of it. */
export interface KeysAhead {
  /** How many. All rows see them. */
  readonly keys: number
  /** Added to both positions of every row. */
  readonly shift: number
}

/**
 * The layout of `lengths[s]` rows of each sequence, which go on behind `starts[s]` rows of it that a cache holds. Keys `ahead` are counted
 * in neither.
 */
export function promptLayout(
  backend: Backend,
  spans: readonly PromptSpan[],
  lengths: readonly number[],
  starts: readonly number[] = lengths.map(() => 0),
  { keys, shift }: KeysAhead = { keys: 0, shift: 0 },
): PromptLayout {
  const rows = lengths.reduce((sum, length) => sum + length, 0)
  const positions = new Int32Array(rows)
  const blockPositions = new Int32Array(rows)
  let at = 0
  for (const [s, { length, blank }] of spans.entries())
    for (let i = starts[s]!; i < starts[s]! + lengths[s]!; i++, at++) {
      positions[at] = shift + (i < length ? i : blank)
      blockPositions[at] = shift + (i < length ? 0 : i - length + 1)
    }
  const visible = spans.map(({ length }) => keys + length)
  return {
    visiblePrefix: tensor(backend, visible, [visible.length], 'i32'),
    positions: tensor(backend, positions, [rows], 'i32'),
    blockPositions: tensor(backend, blockPositions, [rows], 'i32'),
  }
}

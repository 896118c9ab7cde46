import {
  PackedKv,
  promptLayout,
  scope,
  segments,
  SharedPrefixKv,
  tensor,
  type Backend,
  type ForwardInput,
  type Tensor,
} from '@ift/tensor'
import type { PackedBatch } from '../contract/data.js'
import type { PeftHandle } from '../contract/index.js'

/** A micro-batch on the device. */
export interface DeviceBatch {
  readonly input: ForwardInput
  /** i32 [trained tokens]: what each of `input.outputRows` must predict. */
  readonly targets: Tensor
}

/** Moves a packed batch to the device; hidden states are asked for at the positions that have a target, and no others. */
export function deviceBatch(backend: Backend, batch: PackedBatch, peft: PeftHandle | null): DeviceBatch {
  const rows = new Int32Array(batch.trainedTokens)
  const targets = new Int32Array(batch.trainedTokens)
  let n = 0
  for (let i = 0; i < batch.targets.length; i++) {
    if (batch.targets[i]! < 0) continue
    rows[n] = i
    targets[n++] = batch.targets[i]!
  }
  const parts = segments(backend, batch.lengths)
  const input: ForwardInput = {
    ids: tensor(backend, batch.ids, [batch.ids.length], 'i32'),
    positions: tensor(backend, batch.positions, [batch.positions.length], 'i32'),
    segments: parts,
    kv: batch.prefixes ? new SharedPrefixKv(parts, batch.prefixes) : new PackedKv(parts),
    outputRows: tensor(backend, rows, [n], 'i32'),
    maxPosition: batch.positions.reduce((most, position) => Math.max(most, position + 1), 0),
    ...(batch.prompts && { prompts: promptLayout(backend, batch.prompts, batch.lengths) }),
  }
  return { input: peft?.prepare?.(input) ?? input, targets: tensor(backend, targets, [n], 'i32') }
}

/** Runs `fn` with the batch on the device and frees everything it made but its result. */
export const withDeviceBatch = <T>(
  backend: Backend,
  batch: PackedBatch,
  peft: PeftHandle | null,
  fn: (batch: DeviceBatch) => T,
): T => scope(() => fn(deviceBatch(backend, batch, peft)))

import { forwardInput, scope, tensor, type Backend, type ForwardInput, type Tensor } from '@ift/tensor'
import type { PackedBatch } from '../contract/data.js'
import type { PeftHandle } from '../contract/index.js'

/** A micro-batch on the device. */
export interface DeviceBatch {
  readonly input: ForwardInput
  /** i32 [trained tokens]: the id that each of `input.outputRows` must predict. */
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
  const { ids, positions, lengths, prefixes, prompts } = batch
  const input = forwardInput(backend, { ids, positions, lengths, prefixes, prompts, outputRows: rows })
  return { input: peft?.prepare?.(input) ?? input, targets: tensor(backend, targets, [n], 'i32') }
}

/** Runs `fn` with the batch on the device and frees everything it made but its result. */
export const withDeviceBatch = <T>(
  backend: Backend,
  batch: PackedBatch,
  peft: PeftHandle | null,
  fn: (batch: DeviceBatch) => T,
): T => scope(() => fn(deviceBatch(backend, batch, peft)))

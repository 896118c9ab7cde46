import {
  behindVirtualTokens,
  forwardInput,
  ops,
  scope,
  tensor,
  type Backend,
  type CausalLM,
  type InputRows,
  type Tensor,
} from '@ift/tensor'
import type { PackedBatch } from '../contract/data.js'
import type { PeftHandle } from '../contract/index.js'

/** A model on its device, with the method that is on it. */
export interface ModelOnDevice {
  readonly backend: Backend
  readonly model: CausalLM
  readonly peft: PeftHandle | null
}

/** A micro-batch that has passed through the model. */
export interface ForwardBatch {
  /** [trained tokens, C]: hidden states of the rows that predict, and of no others. */
  readonly hidden: Tensor
  /** i32 [trained tokens]: the id that each of them must predict. */
  readonly targets: Tensor
}

/** Runs `fn` with the hidden states of a micro-batch and frees everything that was made but its result. */
export const forwardBatch = <T>(on: ModelOnDevice, batch: PackedBatch, fn: (forward: ForwardBatch) => T): T =>
  scope(() => {
    const { backend, model, peft } = on
    const prefix = peft?.prefix
    const beginnings: number[] = []
    const rows: number[] = []
    const targets: number[] = []
    if (prefix !== undefined && 'rows' in prefix)
      for (const [sequence, target] of batch.firstTargets?.entries() ?? []) {
        if (target < 0) continue
        beginnings.push(sequence)
        targets.push(target)
      }
    for (const [row, target] of batch.targets.entries()) {
      if (target < 0) continue
      rows.push(row)
      targets.push(target)
    }
    const { ids, positions, lengths, prefixes, prompts } = batch
    const sequences = { ids, positions, lengths, prefixes, prompts, outputRows: rows, beginnings }
    const hidden = hiddenStates(on, behindVirtualTokens(backend, model, prefix, sequences))
    return fn({ hidden, targets: tensor(backend, targets, [targets.length], 'i32') })
  })

/** Hidden states of `outputRows`, of which some may be wanted several times: the sum of their gradients is rounded once. */
function hiddenStates({ backend, model }: ModelOnDevice, rows: InputRows): Tensor {
  const wanted = Array.from(rows.outputRows!)
  const distinct = [...new Set(wanted)]
  const hidden = model.call(forwardInput(backend, { ...rows, outputRows: distinct }))
  if (distinct.length === wanted.length) return hidden
  const places = new Map(distinct.map((row, i) => [row, i]))
  const index = wanted.map((row) => places.get(row)!)
  return ops.gatherRepeatedRows(hidden, tensor(backend, index, [index.length], 'i32'))
}

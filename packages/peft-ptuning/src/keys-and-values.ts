import { IftError, type ModelShape, type PeftContext } from '@ift/core'
import { isNamed, modulesOf } from '@ift/core/model'
import {
  ops,
  scope,
  tensor,
  type CausalLM,
  type LinearLike,
  type Tensor,
  type VirtualKeys,
} from '@ift/tensor'

/** Elements of the keys of a token in one layer. */
export const keyWidth = ({ kvHeads, headDim }: ModelShape) => kvHeads * headDim

/**
 * Rows [length, layers · 2 · kvHeads · headDim], each of which is key and value of layer 0, of layer 1 and so on, as keys and
 * values of the layers, rounded to the type of the model.
 */
export function keysAndValues(
  length: number,
  { shape, dtype }: PeftContext,
  rows: () => Tensor,
): VirtualKeys {
  const { layers, kvHeads, headDim } = shape
  // Part p of every row, one part after the other.
  const order = Int32Array.from(
    { length: 2 * layers * length },
    (_, i) => (i % length) * 2 * layers + Math.floor(i / length),
  )
  return {
    length,
    keysAndValues: () =>
      scope(() => {
        const made = ops.cast(rows(), dtype)
        const parts = made.reshape(length * 2 * layers, kvHeads * headDim)
        const sorted = ops.gatherRows(parts, tensor(made.backend, order, [order.length], 'i32'))
        const part = (p: number) =>
          sorted.rows(p * length, (p + 1) * length).reshape(length, kvHeads, headDim)
        return Array.from({ length: layers }, (_, layer) => ({ k: part(2 * layer), v: part(2 * layer + 1) }))
      }),
  }
}

/** Throws IFT_PEFT_OPTIONS for a model whose layers do not have the keys that its shape says. */
export function checkKeys(model: CausalLM, { shape, roles }: PeftContext): void {
  const key = keyWidth(shape)
  const [name] = modulesOf(roles, 'key') as [string]
  const expected = 'queryKeyValue' in roles ? shape.heads * shape.headDim + 2 * key : key
  for (const [layer, module] of model.layers.entries())
    for (const [path, below] of module.namedModules()) {
      const { outFeatures = expected } = below as Partial<LinearLike>
      if (isNamed(path, name) && outFeatures !== expected)
        throw new IftError(
          'IFT_PEFT_OPTIONS',
          `peft.method: prefix-tuning has keys of one width for all layers: expected ${expected} outputs of ${path} in layer ${layer}, as ${shape.kvHeads} key/value heads of ${shape.headDim} have, found ${outFeatures}.`,
          'Take prompt-tuning or p-tuning, which change no keys.',
        )
    }
}

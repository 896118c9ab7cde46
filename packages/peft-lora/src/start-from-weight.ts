import { noGrad, ops, scope, tensor, type Parameter, type Tensor } from '@ift/tensor'
import type { LoraLinear } from './lora-linear.js'

/** A and B of a layer at the start of training, kept because its adapter is relative to the original weights. */
export interface InitialFactors {
  /** f32 [r, in] */
  readonly a: Float32Array
  /** f32 [out, r] */
  readonly b: Float32Array
}

/** Moves part of W into A and B: `factors` gives it, and W ← W - scale · B A keeps the rest. Returns A and B as they were rounded. */
export async function startFromWeight(
  layer: LoraLinear,
  factors: (w: Tensor) => Promise<InitialFactors>,
): Promise<InitialFactors> {
  const { weight } = layer.base_layer
  const { backend, dtype } = weight.value
  const w = noGrad(() => scope(() => ops.cast(weight.value, 'f32')))
  try {
    const { a, b } = await factors(w)
    const round = async (values: Float32Array, parameter: Parameter) => {
      parameter.assign(tensor(backend, values, parameter.shape, parameter.value.dtype))
      return parameter.value.read()
    }
    const initial = { a: await round(a, layer.lora_A.weight), b: await round(b, layer.lora_B.weight) }
    weight.assign(noGrad(() => scope(() => ops.cast(ops.sub(w, layer.delta()), dtype as 'f32'))))
    return initial
  } finally {
    w.release()
  }
}

import {
  asFloat,
  keep,
  Linear,
  noGrad,
  ops,
  Parameter,
  QuantizedParameter,
  scope,
  type Embedding,
  type FloatDType,
  type Tensor,
} from '@ift/tensor'
import type { LoraEmbedding } from './lora-embedding.js'
import type { LoraLinear } from './lora-linear.js'

/** W ← W + scale · B A, summed in f32 and rounded once. */
export function mergeEmbedding(layer: LoraEmbedding): Embedding {
  const { weight } = layer.base_layer
  weight.assign(
    noGrad(() =>
      scope(() =>
        ops.cast(ops.add(ops.cast(weight.value, 'f32'), layer.delta()), weight.value.dtype as 'f32'),
      ),
    ),
  )
  return layer.base_layer
}

/**
 * The layer with W + scale · B A for a weight, or with DoRA m / ‖W + scale · B A‖ ⊙ (W + scale · B A) by rows, summed in f32 and
 * rounded once. A quantised W is written out for it: the merged layer holds plain numbers of `dtype`. A table that the
 * embedding reads too stays as it is; the layer gets one of its own.
 */
export async function mergeLinear(layer: LoraLinear, dtype: FloatDType, shared: boolean): Promise<Linear> {
  const { weight, bias, inFeatures, outFeatures } = layer.base_layer
  const quantized = weight instanceof QuantizedParameter
  const plain = quantized || shared ? new Parameter(weight.shape) : weight
  const rounded = quantized ? dtype : asFloat(weight.value.dtype, 'merge')
  const sum = keep(noGrad(() => scope(() => ops.add(layer.frozen(), layer.delta()))))
  try {
    if (layer.lora_magnitude_vector) await lengthen(sum, layer)
    plain.assign(noGrad(() => scope(() => ops.cast(sum, rounded))))
  } finally {
    sum.release()
  }
  if (layer.lora_B.bias && bias) {
    bias.assign(noGrad(() => scope(() => ops.scale(layer.bias()!, 1))))
  }
  if (plain === weight) return layer.base_layer
  if (quantized) weight.release()
  return new Linear(inFeatures, outFeatures, { bias, weight: plain })
}

/** Gives the rows of W + scale · B A the trained lengths. */
async function lengthen(sum: Tensor, layer: LoraLinear): Promise<void> {
  const [out, input] = sum.shape as [number, number]
  const norms = keep(layer.norms())
  try {
    const values = await sum.read()
    const lengths = await norms.read()
    const magnitudes = await layer.lora_magnitude_vector!.value.read()
    for (let i = 0; i < out; i++) {
      const factor = magnitudes[i]! / lengths[i]!
      for (let j = 0; j < input; j++) values[i * input + j]! *= factor
    }
    sum.backend.write(sum.buf, values)
  } finally {
    norms.release()
  }
}

import {
  asFloat,
  Linear,
  noGrad,
  ops,
  Parameter,
  QuantizedParameter,
  scope,
  type FloatDType,
  type Module,
} from '@ift/tensor'
import type { AdaptedLayer } from './adapted-layer.js'

/**
 * The module of a layer with the method folded into its weights, rounded once. A quantised weight is written out for it: the merged
 * layer holds plain numbers of `dtype`. A table that the embedding reads too (`shared`) stays as it is; the layer gets one of its
 * own.
 */
export async function mergeLayer(layer: AdaptedLayer, dtype: FloatDType, shared: boolean): Promise<Module> {
  const { base_layer: base } = layer
  const { weight, bias } = base
  const quantized = weight instanceof QuantizedParameter
  const plain = quantized || shared ? new Parameter(weight.shape) : weight
  const rounded = quantized ? dtype : asFloat(weight.value.dtype, 'merge')
  const merged = await noGrad(() => scope(() => layer.merged!()))
  try {
    plain.assign(noGrad(() => scope(() => ops.cast(merged.weight, rounded))))
    if (merged.bias && bias) {
      const own = asFloat(bias.value.dtype, 'merge')
      bias.assign(noGrad(() => scope(() => ops.cast(merged.bias!, own))))
    }
  } finally {
    merged.weight.release()
    merged.bias?.release()
  }
  if (plain === weight) return base
  if (quantized) weight.release()
  const { inFeatures, outFeatures } = base as unknown as Linear
  return new Linear(inFeatures, outFeatures, { bias, weight: plain })
}

import type { WeightFormat } from '../quantization.js'
import { Linear } from './linear.js'
import type { Module } from './module.js'
import type { Parameter } from './parameter.js'
import { QuantizedParameter } from './quantized-parameter.js'
import { replaceModules } from './replace-modules.js'

/**
 * y = x Wᵀ (+ bias) (+ addTo) with W frozen in few bits. x [N, in] -> [N, out]. In `noGrad` up to 16 rows (any number where rows
 * are invariant) multiply by the codes as they are; more, and all that a gradient needs, by W written out for the one product, or in int8
 * where W is and the device does so (`Backend.int8Products`).
 */
export class QuantizedLinear extends Linear {
  declare readonly weight: QuantizedParameter

  constructor(
    inFeatures: number,
    outFeatures: number,
    options: { readonly format: WeightFormat; readonly bias?: boolean | Parameter | undefined },
  ) {
    const { format, bias } = options
    super(inFeatures, outFeatures, {
      bias,
      weight: new QuantizedParameter([outFeatures, inFeatures], format),
    })
  }
}

/**
 * Makes every linear layer below `root` a quantised one, `except` apart, and gives their paths. Meant for a model without
 * weights: they are quantised as they are loaded. A layer that has its weight already gives it up. With a function, each layer has the
 * format that it gives for the layer's path; null leaves it as it is.
 */
export function quantizeLinears(
  root: Module,
  format: WeightFormat | ((path: string) => WeightFormat | null),
  except: readonly Module[] = [],
): string[] {
  const formatOf = typeof format === 'function' ? format : () => format
  return replaceModules(
    root,
    (path, module) =>
      module instanceof Linear &&
      !(module instanceof QuantizedLinear) &&
      !except.includes(module) &&
      formatOf(path) !== null,
    (module, path) => {
      const { inFeatures, outFeatures, bias, weight } = module as unknown as Linear
      const layer = new QuantizedLinear(inFeatures, outFeatures, { format: formatOf(path)!, bias })
      if (weight.isAssigned) {
        layer.weight.assign(weight.value.alias())
        weight.release()
      }
      return layer
    },
  )
}

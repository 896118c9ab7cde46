import { definePeft } from '@ift/core'
import * as z from '@ift/core/options'
import {
  AdaptedLinear,
  kaimingUniform,
  moduleMethod,
  targetOptions,
  zeros,
  type AdapterTensor,
} from '@ift/core/peft'
import { ops, Parameter, type FloatDType, type Linear, type Tensor } from '@ift/tensor'

/** Options of the method as a config writes them. */
export const options = z.strictObject({
  size: z.number().int().positive().default(64).describe('Width of the bottleneck.'),
  ...targetOptions,
})

/** y = W x + b, then y + U relu(D y): a linear layer with a bottleneck behind it. */
export class SerialAdapter extends AdaptedLinear {
  /** [size, out] */
  readonly adapter_down: Parameter
  /** [out, size] */
  readonly adapter_up: Parameter

  constructor(
    base: Linear,
    readonly size: number,
  ) {
    super(base)
    this.adapter_down = new Parameter([size, base.outFeatures])
    this.adapter_up = new Parameter([base.outFeatures, size])
  }

  /** U begins as zeros, so that the model is at first what it was. */
  tensors(): readonly AdapterTensor[] {
    return [
      { name: 'adapter_down', parameter: this.adapter_down, start: kaimingUniform(this.outFeatures) },
      { name: 'adapter_up', parameter: this.adapter_up, start: zeros },
    ]
  }

  protected adapted(x: Tensor, addTo?: Tensor): Tensor {
    const y = this.base_layer.call(x)
    const inner = ops.relu(ops.linear(y, this.adapter_down.value))
    const adapted = ops.linear(inner, this.adapter_up.value, { addTo: y.alias() })
    return addTo ? ops.add(addTo, ops.cast(adapted, addTo.dtype as FloatDType)) : adapted
  }
}

/**
 * Serial bottleneck adapters behind the last linear layer of every feed-forward block (Houlsby et al. 2019, arXiv:1902.00751),
 * without biases. No weight expresses a branch with relu in it: the method cannot be merged.
 */
export const serialAdapter = moduleMethod<z.output<typeof options>>({
  name: 'serial-adapter',
  peftType: 'SERIAL_ADAPTER',
  targetRoles: ['feedForwardOut'],
  options,
  fields: { size: 'size' },
  layer: (base, place) => new SerialAdapter(base, place.options.size),
})

export const plugin = definePeft(serialAdapter)

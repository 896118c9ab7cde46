import { AdaptedLinear, kaimingUniform, normal, ones, zeros, type AdapterTensor } from '@ift/core/peft'
import { Linear, ops, Parameter, type FloatDType, type Tensor } from '@ift/tensor'
import { activation } from '../activations.js'
import { scaleBy } from '../scaling.js'
import type { BottleneckOptions } from './options.js'

/** Where a branch lies: in front of the layer, behind it, or beside it. */
export type BranchPlace = 'before' | 'behind' | 'beside'

/**
 * A linear layer with the bottleneck of Alpaca-CoT and LLM-Adapters (peft/tuners/bottleneck.py). With
 * B(z) = scaling · f(dropout(z) Dᵀ) Uᵀ, x [N, in] -> [N, out]:
 *
 *     before    (x + B(x)) Wᵀ + b
 *     behind    y + B(y), y = x Wᵀ + b
 *     beside    x Wᵀ + b + B(x)
 */
export class BottleneckLinear extends AdaptedLinear {
  readonly adapter_scaling?: Parameter
  readonly adapter_down: Linear
  readonly adapter_up: Linear

  constructor(
    base_layer: Linear,
    readonly place: BranchPlace,
    readonly options: BottleneckOptions,
  ) {
    super(base_layer)
    const { inFeatures, outFeatures } = base_layer
    const { bottleneckSize, scaling } = options
    if (scaling === 'learned') this.adapter_scaling = new Parameter([1])
    this.adapter_down = new Linear(place === 'behind' ? outFeatures : inFeatures, bottleneckSize)
    this.adapter_up = new Linear(bottleneckSize, place === 'before' ? inFeatures : outFeatures)
  }

  tensors(): readonly AdapterTensor[] {
    const { adapter_scaling: scaling, adapter_down: down, adapter_up: up } = this
    const isBert = this.options.initWeights === 'bert'
    return [
      ...(scaling ? [{ name: 'adapter_scaling', parameter: scaling, start: ones, decay: false }] : []),
      {
        name: 'adapter_down.weight',
        parameter: down.weight,
        start: isBert ? normal(0.02) : kaimingUniform(down.inFeatures),
      },
      { name: 'adapter_up.weight', parameter: up.weight, start: isBert ? normal(0.02) : zeros },
    ]
  }

  get stochastic(): boolean {
    return this.options.dropout > 0
  }

  protected adapted(x: Tensor, addTo?: Tensor): Tensor {
    // The branch computes with the residual, in the type of its weights.
    if (addTo && addTo.dtype !== x.dtype)
      return ops.cast(this.adapted(x, ops.cast(addTo, x.dtype as FloatDType)), addTo.dtype as FloatDType)
    const { base_layer: base } = this
    if (this.place === 'before') return base.call(this.#branch(x, x.alias()), addTo)
    if (this.place === 'beside') return this.#branch(x, base.call(x, addTo))
    const y = base.call(x)
    return this.#branch(y, addTo ? ops.add(y, addTo) : y)
  }

  /** B(z) + rest, which is given away. */
  #branch(z: Tensor, rest: Tensor): Tensor {
    const { nonLinearity, scaling, dropout } = this.options
    const dropped = this.training && dropout > 0 ? ops.dropout(z, dropout) : z
    const low = activation(nonLinearity)(this.adapter_down.call(dropped))
    const [scaled, alpha] =
      scaling === 'learned' ? [scaleBy(low, this.adapter_scaling!.value), 1] : [low, scaling]
    return ops.linear(scaled, this.adapter_up.weight.value, { alpha, addTo: rest })
  }
}

import { IftError, type PeftContext } from '@ift/core'
import {
  AdaptedLinear,
  kaimingUniform,
  normal,
  ones,
  zeros,
  type AdapterTensor,
  type Start,
} from '@ift/core/peft'
import { LayerNorm, Linear, ops, Parameter, type FloatDType, type Tensor } from '@ift/tensor'
import { activation } from '../activations.js'
import { scaleBy } from '../scaling.js'
import { truncatedNormal } from '../truncated-normal.js'
import type { HubOptions } from './options.js'
import { widthOf, type Sublayer } from './place.js'

/** Of PyTorch's LayerNorm. */
const eps = 1e-5

/** Streams of random numbers behind those of all other starts; each tensor has some of its own. */
const streamOf = ({ index, kind }: Sublayer, tensor: number) =>
  2 ** 30 + 64 * (4 * index + (kind === 'output' ? 2 : 0) + tensor)

/**
 * The last linear layer of a sublayer with an adapter of AdapterHub behind it or beside the sublayer (adapters/methods/modeling.py).
 * With h for what the linear layer gives, s for the residual (`addTo`), f for the function, and D, U with biases d, u
 * B(z) = scaling · (f(z Dᵀ + d) Uᵀ + u). x [N, in] -> [N, C]:
 *
 *     behind    B(z) + skip (+ s)    z = h + s with originalLnBefore, else h; skip = h with residualBeforeLn, else z
 *     beside    B(s) + h (+ s)
 *
 * s is added with originalLnAfter. Where a layer adds s itself, behind a norm, it hands none over: then the result is B(h) + h.
 */
export class SublayerAdapter extends AdaptedLinear {
  readonly scaling?: Parameter
  readonly adapter_norm_before?: LayerNorm
  readonly adapter_down: Linear
  readonly adapter_up: Linear
  readonly adapter_norm_after?: LayerNorm

  constructor(
    base_layer: Linear,
    readonly sublayer: Sublayer,
    readonly options: HubOptions,
    readonly context: Pick<PeftContext, 'backend' | 'seed'>,
  ) {
    super(base_layer)
    const hidden = base_layer.outFeatures
    const width = widthOf(options, sublayer.index, hidden)
    if (typeof options.scaling === 'string')
      this.scaling = new Parameter([options.scaling === 'channel' ? hidden : 1])
    if (options.lnBefore) this.adapter_norm_before = new LayerNorm(hidden, eps)
    this.adapter_down = new Linear(hidden, width, { bias: true })
    this.adapter_up = new Linear(width, hidden, { bias: true })
    if (options.lnAfter) this.adapter_norm_after = new LayerNorm(hidden, eps)
  }

  tensors(): readonly AdapterTensor[] {
    const [down, up] = this.#starts()
    // In PyTorch's chain the norm is the first member.
    const first = this.adapter_norm_before ? 1 : 0
    return [
      ...(this.scaling ? [{ name: 'scaling', parameter: this.scaling, start: ones, decay: false }] : []),
      ...normTensors('adapter_norm_before', this.adapter_norm_before),
      ...linearTensors(`adapter_down.${first}`, this.adapter_down, down),
      ...linearTensors('adapter_up', this.adapter_up, up),
      ...normTensors('adapter_norm_after', this.adapter_norm_after),
    ]
  }

  get stochastic(): boolean {
    return this.options.dropout > 0
  }

  /** Whether it computes with the residual in another way than by adding it. */
  get needsResidual(): boolean {
    const { parallel, sum } = this.#reads
    return parallel || sum || !this.options.originalLnAfter
  }

  protected adapted(x: Tensor, addTo?: Tensor): Tensor {
    // The branch computes with the residual, in the type of its weights.
    if (addTo && addTo.dtype !== x.dtype)
      return ops.cast(this.adapted(x, ops.cast(addTo, x.dtype as FloatDType)), addTo.dtype as FloatDType)
    if (!addTo && this.needsResidual) throw this.#withoutResidual()
    const { parallel, sum } = this.#reads
    const { originalLnAfter: after } = this.options
    if (parallel) return this.#branch(addTo!, this.base_layer.call(x, after ? addTo!.alias() : undefined))
    const residual = 'residualBeforeLn' in this.options && this.options.residualBeforeLn
    // The branch and what it is added to are the same sum: the linear layer makes it.
    if (sum && residual && after && !this.adapter_norm_after) {
      const both = this.base_layer.call(x, addTo!.alias())
      return this.#branch(both, both)
    }
    const alone = this.base_layer.call(x)
    const read = sum ? ops.add(alone, addTo!) : alone
    const skip = residual ? alone : read
    if (!after || !addTo) return this.#branch(read, skip)
    // A norm behind the branch may read skip, and not s.
    return this.adapter_norm_after
      ? ops.add(this.#branch(read, skip), addTo)
      : this.#branch(read, ops.add(skip, addTo))
  }

  /** B(z) + rest, in a norm where there is one behind the branch. `rest` is given away. */
  #branch(z: Tensor, rest: Tensor): Tensor {
    const { nonLinearity, scaling, dropout } = this.options
    const read = this.adapter_norm_before?.call(z) ?? z
    const low = activation(nonLinearity)(this.adapter_down.call(read))
    const { weight, bias } = this.adapter_up
    const drops = this.training && dropout > 0
    if (typeof scaling !== 'number')
      return this.#join(scaleBy(this.adapter_up.call(low), this.scaling!.value), rest)
    const u = scaling === 1 ? bias!.value : ops.scale(bias!.value, scaling)
    const up = { alpha: scaling, bias: u }
    return drops || this.adapter_norm_after
      ? this.#join(ops.linear(low, weight.value, up), rest)
      : ops.linear(low, weight.value, { ...up, addTo: rest })
  }

  #join(branch: Tensor, rest: Tensor): Tensor {
    const { dropout } = this.options
    const dropped = this.training && dropout > 0 ? ops.dropout(branch, dropout) : branch
    const norm = this.adapter_norm_after
    if (!norm) return ops.add(dropped, rest)
    return 'adapterResidualBeforeLn' in this.options && this.options.adapterResidualBeforeLn
      ? norm.call(ops.add(dropped, rest))
      : ops.add(norm.call(dropped), rest)
  }

  get #reads(): { readonly parallel: boolean; readonly sum: boolean } {
    const { options } = this
    const parallel = !('originalLnBefore' in options)
    return { parallel, sum: !parallel && options.originalLnBefore }
  }

  #starts(): readonly [down: Start, up: Start] {
    const { sublayer, context } = this
    const [down, up] = [this.adapter_down.weight.shape, this.adapter_up.weight.shape]
    switch (this.options.initWeights) {
      case 'bert':
        return [normal(0.02), normal(0.02)]
      case 'mam_adapter':
        return [kaimingUniform(this.outFeatures), zeros]
      case 'houlsby':
        return [
          truncatedNormal(0.01, down, context, streamOf(sublayer, 0)),
          truncatedNormal(0.01, up, context, streamOf(sublayer, 1)),
        ]
    }
  }

  #withoutResidual(): IftError {
    const { parallel, sum } = this.#reads
    const what = parallel
      ? 'The method parallel reads the residual'
      : `peft.${sum ? 'originalLnBefore: true' : 'originalLnAfter: false'} computes with the residual`
    return new IftError(
      'IFT_PEFT_OPTIONS',
      `${what}, which this family adds behind a norm and hands to no linear layer.`,
      'Use peft.method: houlsby, which reads what the sublayer gives; or peft.method: bottleneck.',
    )
  }
}

const linearTensors = (name: string, { weight, bias }: Linear, start: Start): AdapterTensor[] => [
  { name: `${name}.weight`, parameter: weight, start },
  { name: `${name}.bias`, parameter: bias!, start: zeros, decay: false },
]

const normTensors = (name: string, norm: LayerNorm | undefined): AdapterTensor[] =>
  norm
    ? [
        { name: `${name}.weight`, parameter: norm.weight, start: ones, decay: false },
        { name: `${name}.bias`, parameter: norm.bias, start: zeros, decay: false },
      ]
    : []

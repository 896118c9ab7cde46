import { ops, type Tensor } from '@ift/tensor'

type Activation = (x: Tensor) => Tensor

const geluErf: Activation = (x) => ops.gelu(x, 'erf')
const geluTanh: Activation = (x) => ops.gelu(x, 'tanh')

/** max(x, 0) + slope · min(x, 0) (Maas et al. 2013). */
const leaky = (slope: number, x: Tensor) => ops.add(ops.scale(x, slope), ops.scale(ops.relu(x), 1 - slope))

/** Functions by the names that transformers has for them, and `leakyrelu`, which is AdapterHub's. */
const activations = {
  gelu: geluErf,
  gelu_python: geluErf,
  gelu_accurate: geluTanh,
  gelu_fast: geluTanh,
  gelu_new: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  leaky_relu: (x) => leaky(0.01, x),
  leakyrelu: (x) => leaky(0.01, x),
  linear: (x) => x,
  quick_gelu: (x) => ops.mul(x, ops.sigmoid(ops.scale(x, 1.702))),
  relu: ops.relu,
  relu2: (x) => {
    const positive = ops.relu(x)
    return ops.mul(positive, positive)
  },
  sigmoid: ops.sigmoid,
  silu: ops.silu,
  swish: ops.silu,
  tanh: ops.tanh,
} as const satisfies Readonly<Record<string, Activation>>

export type ActivationName = keyof typeof activations

export const activationNames = Object.keys(activations) as [ActivationName, ...ActivationName[]]

/** A function by its name, element by element. */
export const activation = (name: ActivationName): Activation => activations[name]

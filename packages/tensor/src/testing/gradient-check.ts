import { IftError } from '../errors.js'
import { Parameter } from '../nn/parameter.js'
import { tensor } from '../tensor/create.js'
import { scope } from '../tensor/scope.js'
import { backward, noGrad } from '../tensor/tape.js'
import type { Tensor } from '../tensor/tensor.js'
import { referenceBackend } from '../reference/backend.js'
import type { Backend } from '../backend.js'
import { mul } from '../ops/mul.js'
import { linear } from '../ops/linear.js'

export interface GradientCheckOptions {
  /** Shapes of the inputs to differentiate, at most four. */
  readonly shapes: readonly (readonly number[])[]
  /** Values of an input when the default, uniform in [-1, 1), will not do. */
  readonly values?: (input: number, element: number) => number
  /** Largest relative difference; 1e-6 when omitted. */
  readonly tolerance?: number
}

/**
 * Compares the gradients of `fn` with central differences on the reference backend in float64: of a weighted sum of the
 * output's elements (a single element as it is) with respect to every element of every input. Throws `IFT_GRADIENT` with the worst element.
 */
export async function gradientCheck(
  fn: (backend: Backend, ...inputs: [Tensor, Tensor, Tensor, Tensor]) => Tensor,
  options: GradientCheckOptions,
): Promise<void> {
  const backend = referenceBackend({ exact: true })
  const start = backend.memory().buffers
  let state = 12345
  const next = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return state / 2147483648 - 1
  }
  const values = options.shapes.map((shape, input) =>
    Float64Array.from(
      { length: shape.reduce((a, b) => a * b, 1) },
      (_, i) => options.values?.(input, i) ?? next(),
    ),
  )
  const parameters = values.map((v, i) => {
    const parameter = new Parameter(options.shapes[i]!)
    parameter.assign(tensor(backend, v, options.shapes[i]!))
    backend.write(parameter.value.buf, v)
    parameter.setTrainable(true)
    return parameter
  })
  let weights: Float64Array | undefined
  const loss = (): Tensor => {
    const y = fn(backend, ...(parameters.map((p) => p.value) as [Tensor, Tensor, Tensor, Tensor]))
    if (y.size === 1) return y.reshape(1)
    if (weights === undefined) weights = Float64Array.from({ length: y.size }, next)
    const w = tensor(backend, weights, y.shape)
    backend.write(w.buf, weights)
    const ones = tensor(backend, new Float32Array(y.size).fill(1), [1, y.size])
    return linear(mul(y, w).reshape(1, y.size), ones).reshape(1)
  }
  const read = async (t: Tensor): Promise<Float64Array> => {
    const out = new Float64Array(t.size)
    await backend.read(t.buf, out)
    return out
  }
  scope(() => {
    backward(loss())
  })
  const tolerance = options.tolerance ?? 1e-6
  for (const [input, parameter] of parameters.entries()) {
    const { grad } = parameter
    const analytic = grad === null ? new Float64Array(values[input]!.length) : await read(grad)
    const original = values[input]!
    for (let i = 0; i < original.length; i++) {
      const step = 1e-5
      const at = async (x: number): Promise<number> => {
        const moved = original.slice()
        moved[i] = x
        backend.write(parameter.value.buf, moved)
        const [value] = await scope(() => noGrad(() => read(loss())))
        return value!
      }
      const numeric = ((await at(original[i]! + step)) - (await at(original[i]! - step))) / (2 * step)
      const difference = Math.abs(numeric - analytic[i]!) / (1 + Math.abs(numeric))
      if (!(difference <= tolerance)) {
        throw new IftError(
          'IFT_GRADIENT',
          `gradient of input ${input}, element ${i}: backward gives ${analytic[i]!}, finite differences ${numeric}`,
        )
      }
    }
    backend.write(parameter.value.buf, original)
  }
  for (const parameter of parameters) parameter.release()
  const left = backend.memory().buffers - start
  if (left !== 0) throw new IftError('IFT_LEAK', `the operation left ${left} buffers behind`)
}

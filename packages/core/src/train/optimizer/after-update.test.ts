import { expect, test } from 'vitest'
import { backward, full, ops, Parameter, scope, tensor } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import type { OptimizerDefinition } from '../../contract/index.js'
import * as z from '../../config/options.js'
import { adamw } from './adamw.js'
import { Optimizer } from './optimizer.js'

/** Clips the gradients where they lie, as the optimizer of docs/optimizers.md does. */
const sgd: OptimizerDefinition = {
  name: 'sgd',
  options: z.strictObject({}),
  state: () => ({}),
  update({ backend, gradientScale, spans }) {
    for (const { size, learningRate, values, gradients } of spans) {
      backend.scaleColumns(gradients.buf, gradients.buf, gradientScale.buf, size, 1, 'f32')
      backend.axpby(values.buf, 1, values.buf, -learningRate, gradients.buf, size, 'f32')
    }
  },
}

test.each([adamw, sgd])(
  '$name leaves the gradients that it updated with, clipped once',
  async (definition) => {
    const backend = referenceBackend()
    const parameter = new Parameter([1, 4])
    parameter.assign(tensor(backend, Float32Array.of(1, 2, 3, 4), [1, 4]))
    parameter.setTrainable(true)
    const optimizer = new Optimizer(backend, [{ name: 'w', parameter, lrScale: 1, decay: true }], {
      ...{ definition, options: definition.options.parse({}), weightDecay: 0, clipNorm: 1 },
    })
    const step = async (times: number) => {
      scope(() => {
        backward(ops.scale(ops.linear(full(backend, [1, 4], 1, 'f32'), parameter.value), times))
      })
      const seen: number[][] = []
      const norm = await optimizer.update(0.1, async (gradientScale) => {
        const [scale] = await gradientScale.read()
        seen.push([...(await parameter.gradient().read())].map((value) => value * scale!))
      })
      norm.release()
      return seen
    }
    // The norm of four threes is 6.
    const [clipped] = await step(3)
    for (const value of clipped!) expect(value).toBeCloseTo(0.5, 5)
    const [small] = await step(0.25)
    for (const value of small!) expect(value).toBe(0.25)
    expect(await step(Infinity)).toEqual([])
    optimizer.release()
  },
)

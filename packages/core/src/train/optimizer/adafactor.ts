import type { OptimizerDefinition } from '../../contract/index.js'
import * as z from '../../config/options.js'

export const adafactorOptions = z.strictObject({
  decayRate: z
    .number()
    .negative()
    .default(-0.8)
    .describe('Exponent of the step: the second moment decays by 1 - step^decayRate.'),
  epsilon1: z.number().positive().default(1e-30).describe('Added to the square of the gradient.'),
  epsilon2: z
    .number()
    .positive()
    .default(1e-3)
    .describe('Least root mean square of a parameter that scales the rate.'),
  clipThreshold: z
    .number()
    .positive()
    .default(1)
    .describe('Root mean square of an update above which it is scaled down.'),
  beta1: z
    .number()
    .min(0)
    .lt(1)
    .optional()
    .describe('Decay of a first moment; none is kept when absent, which saves its memory.'),
  scaleParameter: z
    .boolean()
    .default(false)
    .describe('Multiply the learning rate by the root mean square of the parameter.'),
})

/**
 * Adafactor (Shazeer & Stern 2018, arXiv:1804.04235) at the learning rate of the schedule, which is `relative_step=False` in
 * transformers. The second moment of a matrix is the product of one number for each row and one for each column; of all
 * other shapes, every element has its own.
 */
export const adafactor: OptimizerDefinition<z.output<typeof adafactorOptions>> = {
  name: 'adafactor',
  options: adafactorOptions,
  state(shape, { beta1 }) {
    const [rows = 1, columns = 1] = shape
    return {
      ...(shape.length === 2 ? { row: [rows], column: [columns] } : { v: shape }),
      ...(beta1 === undefined ? {} : { m: shape }),
    }
  },
  update({ backend, options, step, gradientScale, spans }) {
    const { decayRate, beta1 = 0, epsilon1, epsilon2, clipThreshold, scaleParameter } = options
    // 0 at the first step, which so begins with its own squares.
    const beta2 = 1 - step ** decayRate
    for (const { dtype, learningRate: lr, weightDecay, parameters } of spans)
      for (const { shape, value, master, gradient, state } of parameters()) {
        const { row, column = null, v, m = null } = state
        const [rows, cols] = column ? [shape[0]!, shape[1]!] : [1, value.size]
        backend.adafactor(
          value.buf,
          master?.buf ?? null,
          gradient.buf,
          (row ?? v)!.buf,
          column?.buf ?? null,
          m?.buf ?? null,
          gradientScale.buf,
          {
            rows,
            cols,
            lr,
            beta1,
            beta2,
            epsilon1,
            epsilon2: scaleParameter ? epsilon2 : null,
            clipThreshold,
            weightDecay,
            dtype,
          },
        )
      }
  },
  skipsNonFinite: true,
}

import type { OptimizerDefinition } from '../../contract/index.js'
import * as z from '../../config/options.js'

export const lionOptions = z.strictObject({
  beta1: z.number().min(0).lt(1).default(0.9).describe('Share of the momentum in the direction of a step.'),
  beta2: z.number().min(0).lt(1).default(0.99).describe('Decay of the momentum.'),
})

/** Lion (Chen et al. 2023, arXiv:2302.06675): the sign of a momentum, 4 bytes of state for every element. */
export const lion: OptimizerDefinition<z.output<typeof lionOptions>> = {
  name: 'lion',
  options: lionOptions,
  state: (shape) => ({ m: shape }),
  update({ backend, options, gradientScale, spans }) {
    for (const { size: n, dtype, learningRate: lr, weightDecay, values, masters, gradients, state } of spans)
      backend.lion(values.buf, masters?.buf ?? null, gradients.buf, state['m']!.buf, gradientScale.buf, {
        n,
        lr,
        ...options,
        weightDecay,
        dtype,
      })
  },
  skipsNonFinite: true,
}

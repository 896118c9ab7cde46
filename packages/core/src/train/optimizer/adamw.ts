import type { OptimizerDefinition } from '../../contract/index.js'
import * as z from '../../config/options.js'

export const adamwOptions = z.strictObject({
  beta1: z.number().min(0).lt(1).default(0.9).describe('Decay of the first moment.'),
  beta2: z.number().min(0).lt(1).default(0.999).describe('Decay of the second moment.'),
  epsilon: z.number().positive().default(1e-8).describe('Added to the root of the second moment.'),
})

/** AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101): both moments of every element, 8 bytes of state. */
export const adamw: OptimizerDefinition<z.output<typeof adamwOptions>> = {
  name: 'adamw',
  options: adamwOptions,
  state: (shape) => ({ m: shape, v: shape }),
  update({ backend, options, step, gradientScale, spans }) {
    const { beta1, beta2, epsilon: eps } = options
    for (const { size: n, dtype, learningRate: lr, weightDecay, values, masters, gradients, state } of spans)
      backend.adamw(
        values.buf,
        masters?.buf ?? null,
        gradients.buf,
        state['m']!.buf,
        state['v']!.buf,
        gradientScale.buf,
        { n, lr, beta1, beta2, eps, weightDecay, step, dtype },
      )
  },
  skipsNonFinite: true,
}

import { defineOptimizer, type OptimizerDefinition } from '@ift/core'
import * as z from '@ift/core/options'

/** What a config may write in `train.optimizer` beside the name. */
export const options = z.strictObject({
  momentum: z.number().min(0).lt(1).default(0.9).describe('Share of the last update in the next one.'),
})

/**
 * Gradient descent with momentum (Polyak 1964): m ← momentum · m + g, w ← (1 − rate · decay) · w − rate · m. 4 bytes of state an element.
 */
export const optimizer: OptimizerDefinition<z.output<typeof options>> = {
  name: '__name__',
  options,
  state: (shape) => ({ momentum: shape }),
  update({ backend, options: { momentum }, gradientScale, spans }) {
    for (const { size, dtype, learningRate, weightDecay, values, masters, gradients, state } of spans) {
      const w = (masters ?? values).buf
      const g = gradients.buf
      const m = state['momentum']!.buf
      // The norm of all gradients is clipped by one factor, which lies on the device.
      backend.scaleColumns(g, g, gradientScale.buf, size, 1, 'f32')
      backend.axpby(m, momentum, m, 1, g, size, 'f32')
      backend.axpby(w, 1 - learningRate * weightDecay, w, -learningRate, m, size, 'f32')
      if (masters) backend.cast(values.buf, w, size, dtype, 'f32')
    }
  },
}

export const plugin = defineOptimizer(optimizer)

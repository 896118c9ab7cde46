import { backward, ops, withRandom, type Tensor } from '@ift/tensor'
import type { PackedBatch } from '../contract/data.js'
import { createPacker, type PackerOptions } from '../data/pack.js'
import { forwardBatch } from '../train/forward.js'
import type { RunData } from './run-data.js'
import type { OpenModel } from './open-model.js'

/** Speed of a run on its device. */
export interface Speed {
  /** Of one optimiser step: all of its micro-batches, forward and backward. */
  readonly secondsPerStep: number
  /** Rows that pass through the model in a second. */
  readonly rowsPerSecond: number
}

/** Seconds that one measurement may take before it stands for the next, longer one. */
const patience = 5

/**
 * Measures forward and backward over one sequence, and over one micro-batch where that is quick. Nothing is updated; the gradients are
 * zero again afterwards.
 */
export async function measureSpeed(open: OpenModel, data: RunData, packing: PackerOptions): Promise<Speed> {
  const { backend, model, peft, trainable } = open
  const secondsOf = async (batch: PackedBatch): Promise<number> => {
    await backend.synchronize()
    const started = performance.now()
    withRandom({ seed: packing.seed, step: 0, micro: 0 }, () => {
      forwardBatch({ backend, model, peft }, batch, ({ hidden, targets }) => {
        const loss: Tensor = ops.linearCrossEntropy(hidden, model.lmHead, targets, {
          gradScale: 1 / batch.trainedTokens,
        })
        backward(loss)
      })
    })
    await backend.synchronize()
    return (performance.now() - started) / 1000
  }
  const firstOf = async (options: PackerOptions) => {
    const packer = createPacker(data.train, options)
    for (;;) {
      await packer.prepare()
      const { microBatches } = packer.step()
      // The rows of a step may have given no sample.
      if (microBatches.length > 0) return microBatches
    }
  }
  const microBatches = await firstOf(packing)
  const batches = microBatches.filter(({ trainedTokens }) => trainedTokens > 0)
  const rows = batches.reduce((sum, { ids }) => sum + ids.length, 0)
  const longest = data.longest + (packing.virtualRows?.rows ?? 0)
  const one = (await firstOf({ ...packing, microBatchTokens: longest }))[0]!
  peft?.setTraining(true)
  try {
    let seconds = await secondsOf(one)
    let measured = one
    // The first pass loads what the later ones find loaded.
    if (seconds < patience) seconds = await secondsOf(one)
    const whole = batches[0]!
    if ((seconds / one.ids.length) * whole.ids.length < patience) {
      seconds = await secondsOf(whole)
      measured = whole
    }
    const rowsPerSecond = measured.ids.length / seconds
    return { rowsPerSecond, secondsPerStep: rows / rowsPerSecond }
  } finally {
    peft?.setTraining(false)
    for (const { parameter } of trainable) {
      const gradient = parameter.gradient()
      backend.fill(gradient.buf, 0, gradient.size, 'f32')
    }
  }
}

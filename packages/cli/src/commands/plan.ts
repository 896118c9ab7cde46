import { Ift, verb } from '@ift/core'
import { planRows, timeRows } from './plan-view.js'

export const plan = verb({
  name: 'plan',
  description: 'Show what a run would need and do, without training.',
  example: 'npx ift plan --weights ./llama --data alpaca.json',
  config: [
    'weights',
    'data',
    'peft',
    'template',
    'maxLength',
    'train.batchSize',
    'train.microBatchTokens',
    'train.memory',
    'train.recompute',
    'quantize',
    'device',
    'dtype',
  ],
  options: {
    json: { type: 'boolean', description: 'print the plan as JSON' },
    unmeasured: { type: 'boolean', description: 'do not measure how long a step takes' },
  },
  run({ terminal, session, options: { json, unmeasured } }) {
    return Ift.using(session, async (ift) => {
      const training = await ift.planTraining()
      const { totalSteps } = training.trainer
      const speed = training.plan.fits && !unmeasured ? await training.measure() : null
      const { fits } = training.plan
      const stores = training.data.datasets.map(({ store }) => store)
      if (json)
        terminal.json({
          ...training.plan,
          budget: training.planned.budget,
          layers: training.open.model.layers.length,
          epochs: training.planned.epochs,
          parameters: training.parameters,
          trainable: training.trainable,
          recipe: training.open.recipe,
          steps: training.trainer.totalSteps,
          sequences: training.data.train.size(0),
          heldOut: training.data.validation?.size(0) ?? 0,
          mixture: training.data.mixture,
          ...(speed && { ...speed, seconds: speed.secondsPerStep * totalSteps }),
          limit: training.data.limit,
          microBatchTokens: training.microBatchTokens,
          trainedTokens: stores.every((store) => store !== null)
            ? stores.reduce((sum, store) => sum + store.trainedTokens, 0)
            : null,
          cut: training.data.datasets.reduce(
            (sum, { counts: { truncated, long } }) => sum + truncated + long,
            0,
          ),
          notes: training.notes,
          remedies: fits ? [] : await training.remedies(),
        })
      else terminal.table([...planRows(training), ...timeRows(speed, totalSteps)])
      for (const note of training.notes) terminal.note(note)
      return fits ? 0 : 1
    })
  },
})

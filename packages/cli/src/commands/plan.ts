import { Ift, verb } from '@ift/core'
import { planRows } from './plan-view.js'

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
  options: { json: { type: 'boolean', description: 'print the plan as JSON' } },
  run({ terminal, session, options: { json } }) {
    return Ift.using(session, async (ift) => {
      const training = await ift.planTraining()
      if (json)
        terminal.json({
          ...training.plan,
          parameters: training.parameters,
          trainable: training.trainable,
          recipe: training.open.recipe,
          steps: training.trainer.totalSteps,
          sequences: training.data.train.count,
          heldOut: training.data.validation?.count ?? 0,
          limit: training.data.limit,
          microBatchTokens: training.microBatchTokens,
        })
      else terminal.table(planRows(training))
      for (const note of training.notes) terminal.note(note)
      return training.plan.fits ? 0 : 1
    })
  },
})

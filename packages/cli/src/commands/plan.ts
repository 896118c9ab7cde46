import type { Command } from './command.js'
import { withSession } from './command.js'
import { planRows } from './plan-view.js'

export const plan: Command = {
  name: 'plan',
  description: 'Show what a run would need and do, without training.',
  example: 'npx ift plan --weights ./llama --data alpaca.json',
  define(verb) {
    verb.option('--json', 'print the plan as JSON')
  },
  run(context) {
    return withSession(context, async (ift) => {
      const training = await ift.planTraining()
      if (context.options['json'])
        context.terminal.json({
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
      else context.terminal.table(planRows(training))
      for (const note of training.notes) context.terminal.note(note)
      return training.plan.fits ? 0 : 1
    })
  },
}

import type { Command } from './command.js'
import { withInterrupt, withSession } from './command.js'
import { planRows } from './plan-view.js'
import { Progress } from '../ui/progress.js'
import { compact, duration } from '../ui/format.js'

export const train: Command = {
  name: 'train',
  description: 'Fine-tune a model.',
  example: 'npx ift train --weights ./llama --data alpaca.json --train.epochs 1',
  define(verb) {
    verb
      .option(
        '--resume [run]',
        'go on with the run in the output folder, or with the run or checkpoint named',
      )
      .option('-o, --output <dir>', 'run folder')
      .option('--json', 'print the result as JSON')
  },
  run(context) {
    const { terminal, options } = context
    const output = options['output'] as string | undefined
    const overrides = output === undefined ? context.overrides : { ...context.overrides, output }
    return withSession({ ...context, overrides }, async (ift) => {
      const resume = options['resume'] as string | true | undefined
      const training = await ift.createTraining(resume === undefined ? {} : { resume })
      for (const { dir, error } of training.broken)
        terminal.note(`passed over ${dir}: ${error instanceof Error ? error.message : String(error)}`)
      terminal.heading(training.resumedFrom === null ? 'Plan' : `Resuming from ${training.resumedFrom}`)
      terminal.table(planRows(training))
      const { trainer } = training
      const progress = new Progress(
        terminal,
        trainer.totalSteps,
        trainer.state.step,
        () => training.open.backend.memory().peak,
      )
      trainer.hooks.log.tap('cli', (record) => {
        progress.show(record)
      })
      const result = await withInterrupt(
        terminal,
        'Stopping after this step; a checkpoint will be written.',
        (signal) => training.run(signal),
      )
      if (options['json']) terminal.json(result)
      terminal.heading(result.reason === 'interrupted' ? 'Interrupted' : 'Done')
      terminal.table([
        ['steps', String(result.steps)],
        ['loss', result.finalLoss.toFixed(4)],
        [
          'tokens',
          `${compact(result.tokens)} in ${duration(result.seconds)} (${compact(result.tokens / result.seconds)}/s)`,
        ],
        ['output', result.output],
        ['report', training.folder.report],
      ])
      if (result.reason === 'interrupted') terminal.note('Go on with: npx ift train --resume')
      return result.reason === 'interrupted' ? 130 : 0
    })
  },
}

import type { Command } from './command.js'
import { withSession } from './command.js'

export const merge: Command = {
  name: 'merge',
  description: "Fold an adapter into its base and write the model in Hugging Face's layout.",
  example: 'npx ift merge ./merged --weights ./llama --adapter ./run/adapter',
  define(verb) {
    verb.argument('<dir>', 'folder to write')
  },
  run(context) {
    return withSession(context, async (ift) => {
      const { dir, quantize, dtype, logitDifference } = await ift.merge(context.operands[0]!)
      const base =
        quantize === 'none'
          ? ''
          : `, onto the ${quantize} base that the adapter runs on (--quantize none: onto the original weights)`
      context.terminal.note(`merged model in ${dir}`)
      context.terminal.note(`added up in f32 and rounded to ${dtype}${base}`)
      context.terminal.note(
        `largest difference of a logit, merged against unmerged: ${logitDifference.toPrecision(2)}`,
      )
      return 0
    })
  },
}

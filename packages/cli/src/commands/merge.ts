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
      const dir = await ift.merge(context.operands[0]!)
      context.terminal.note(`merged model in ${dir}`)
      return 0
    })
  },
}

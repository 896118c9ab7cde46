import type { Command } from './command.js'
import { withInterrupt, withSession } from './command.js'

export const generate: Command = {
  name: 'generate',
  description: 'Answer one instruction, or continue a text.',
  example: 'npx ift generate "Name three colours." --weights ./llama --adapter ./run/adapter',
  define(verb) {
    verb
      .argument('<text>', 'instruction')
      .option('--input <text>', 'input that belongs to the instruction', '')
      .option('--raw', 'continue the text as it is, without the template')
      .option('--json', 'print the result as JSON')
  },
  run(context) {
    const { terminal, options, operands } = context
    return withSession(context, async (ift) => {
      const generator = await ift.createGenerator()
      const text = operands[0]!
      const prompt = options['raw'] ? text : { instruction: text, input: options['input'] as string }
      const json = options['json'] === true
      const result = await withInterrupt(terminal, 'Stopping.', (signal) =>
        generator.generate(prompt, ift.config.generate, {
          signal,
          onText: (piece) => {
            if (!json) terminal.out(piece)
          },
        }),
      )
      if (json) terminal.json({ ...result, ids: [...result.ids] })
      else terminal.out('\n')
      return 0
    })
  },
}

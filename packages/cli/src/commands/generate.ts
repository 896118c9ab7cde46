import { Ift, verb } from '@ift/core'

export const generate = verb({
  name: 'generate',
  description: 'Answer one instruction, or continue a text.',
  example: 'npx ift generate "Name three colours." --weights ./llama --adapter ./run/adapter',
  operands: { text: { description: 'instruction', required: true } },
  options: {
    input: { type: 'string', default: '', description: 'input that belongs to the instruction' },
    raw: { type: 'boolean', description: 'continue the text as it is, without the template' },
    json: { type: 'boolean', description: 'print the result as JSON' },
  },
  run({ terminal, session, options: { input, raw, json }, operands: { text }, untilInterrupted }) {
    return Ift.using(session, async (ift) => {
      const generator = await ift.createGenerator()
      const prompt = raw ? text : { instruction: text, input }
      const result = await untilInterrupted('Stopping.', (signal) =>
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
})

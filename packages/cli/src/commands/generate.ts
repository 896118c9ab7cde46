import { Ift, verb, type OpenModel, type VerbContext } from '@ift/core'
import { messagesFrom } from '../chat/lines.js'
import { noteModel } from '../ui/model-line.js'
import { useAdapter, useOption } from '../ui/use-adapter.js'

const options = {
  input: { type: 'string', default: '', description: 'input that belongs to the instruction' },
  raw: { type: 'boolean', description: 'continue the text as it is, without the template' },
  json: { type: 'boolean', description: 'print the result as JSON' },
  use: useOption,
} as const

export const generate = verb({
  name: 'generate',
  description: 'Answer one instruction, or continue a text. Without one, asks for instructions.',
  example: 'npx ift generate "Name three colours." --adapter ./run/adapter',
  config: ['weights', 'adapter', 'template', 'device', 'dtype', 'quantize', 'deterministic', 'generate'],
  operands: { text: { description: 'instruction' } },
  options,
  run(context) {
    const { terminal, session, options, operands } = context
    return Ift.using(session, async (ift) => {
      const open = await ift.openModel()
      useAdapter(open, options.use)
      // Which one it is was found out, not said.
      if (ift.config.weights === undefined || operands.text === undefined)
        await noteModel(ift, open, terminal)
      const answer = await answerer(ift, open, context.untilInterrupted)
      const show = async (text: string) => {
        const prompt = options.raw ? text : { instruction: text, input: options.input }
        const result = await answer(prompt, options.json ? () => undefined : (piece) => terminal.out(piece))
        if (options.json) terminal.json({ ...result, ids: [...result.ids] })
        else terminal.out('\n')
      }
      if (operands.text !== undefined) await show(operands.text)
      else {
        const lines = messagesFrom(process.stdin, terminal.stderr, terminal.style('bold', 'instruction> '))
        lines.onInterrupt(() => {
          lines.close()
        })
        lines.prompt()
        for await (const line of lines) {
          if (line.trim() !== '') await show(line)
          lines.prompt()
        }
      }
      return 0
    })
  },
})

type Generator = Awaited<ReturnType<Ift['createGenerator']>>

async function answerer(ift: Ift, open: OpenModel, untilInterrupted: VerbContext['untilInterrupted']) {
  const generator = await ift.createGenerator(open, { keepPrefixes: true })
  return (prompt: Parameters<Generator['generate']>[0], onText: (piece: string) => void) =>
    untilInterrupted('Stopping.', (signal) =>
      generator.generate(prompt, ift.config.generate, { signal, onText }),
    )
}

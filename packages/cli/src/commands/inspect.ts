import { Ift, inspectSample, verb } from '@ift/core'
import { nothingLeft } from '../ui/data-view.js'

export const inspect = verb({
  name: 'inspect',
  description: 'Show samples as the model reads them: tokens, and which of them are learned.',
  example: 'npx ift inspect --weights ./llama --data alpaca.json --count 2',
  config: ['weights', 'tokenizer', 'data', 'template', 'trainOn', 'maxLength', 'truncation'],
  options: {
    count: { type: 'integer', short: 'n', min: 1, default: 1, description: 'samples to show' },
    json: { type: 'boolean', description: 'print tokens as JSON' },
  },
  run({ terminal, session, options }) {
    return Ift.using(session, async (ift) => {
      const { data, tokenizer } = await ift.openData()
      if (data.train.size(0) === 0) throw nothingLeft(data, ift.config.maxLength)
      const order = data.train.order(0, null).subarray(0, options.count)
      // Without colours marks say what is learned.
      const marks = !terminal.showsStyles && !options.json
      if (marks) terminal.note('What is learned stands between ⟦ and ⟧.')
      for (const [i, sample] of order.entries()) {
        const tokens = await inspectSample(data.train.sample(sample), tokenizer)
        if (options.json) {
          terminal.jsonLine(tokens)
          continue
        }
        const trained = tokens.filter((token) => token.trained).length
        terminal.note(`sample ${i}: ${tokens.length} tokens, ${trained} learned`)
        const shown = (from: number) => {
          const { text, token, special } = tokens[from]!
          return special ? token : text
        }
        const learned = (at: number) => tokens[at]?.trained === true
        const line = tokens.map((_, i) => {
          if (!marks) return terminal.style(learned(i) ? 'green' : 'dim', shown(i), 'stdout')
          const begins = learned(i) && !learned(i - 1) ? '⟦' : ''
          const ends = learned(i) && !learned(i + 1) ? '⟧' : ''
          return `${begins}${shown(i)}${ends}`
        })
        terminal.view(`${line.join('')}\n`)
      }
      return 0
    })
  },
})

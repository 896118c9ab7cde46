import { Ift, inspectSample, verb } from '@ift/core'

export const inspect = verb({
  name: 'inspect',
  description: 'Show samples as the model reads them: tokens, and which of them are learned.',
  example: 'npx ift inspect --weights ./llama --data alpaca.json --count 2',
  options: {
    count: { type: 'integer', short: 'n', min: 1, default: 1, description: 'samples to show' },
    json: { type: 'boolean', description: 'print tokens as JSON' },
  },
  run({ terminal, session, options }) {
    return Ift.using(session, async (ift) => {
      const { data, tokenizer } = await ift.openData()
      const count = Math.min(options.count, data.train.count)
      for (let i = 0; i < count; i++) {
        const tokens = await inspectSample(data.train.sample(i), tokenizer)
        if (options.json) {
          terminal.out(`${JSON.stringify(tokens)}\n`)
          continue
        }
        const trained = tokens.filter((token) => token.trained).length
        terminal.note(`sample ${i}: ${tokens.length} tokens, ${trained} learned`)
        terminal.out(
          `${tokens
            .map(({ text, token, special, trained: learned }) => {
              const shown = special ? token : text
              return learned ? terminal.style('green', shown) : terminal.style('dim', shown)
            })
            .join('')}\n`,
        )
      }
      return 0
    })
  },
})

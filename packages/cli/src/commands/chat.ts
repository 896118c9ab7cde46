import { createInterface } from 'node:readline/promises'
import { Ift, verb, type Message } from '@ift/core'

export const chat = verb({
  name: 'chat',
  description: 'Talk with a model in the terminal.',
  example: 'npx ift chat --weights ./llama --adapter ./run/adapter',
  run({ terminal, session }) {
    return Ift.using(session, async (ift) => {
      const generator = await ift.createGenerator()
      const lines = createInterface({
        input: process.stdin,
        output: terminal.stderr,
        prompt: terminal.style('bold', '> '),
      })
      terminal.note('/clear forgets the conversation, /exit ends it; Ctrl-C stops an answer.')
      let messages: Message[] = []
      let answering: AbortController | null = null
      lines.on('SIGINT', () => {
        if (answering) answering.abort()
        else lines.close()
      })
      lines.prompt()
      for await (const line of lines) {
        const text = line.trim()
        if (text === '/exit') break
        if (text === '/clear') messages = []
        else if (text) {
          answering = new AbortController()
          const asked: Message[] = [...messages, { role: 'user', content: text }]
          let answer = ''
          try {
            const result = await generator.generate({ messages: asked }, ift.config.generate, {
              signal: answering.signal,
              onText: (piece) => {
                answer += piece
                terminal.out(piece)
              },
            })
            answer = result.text
          } catch (error) {
            if (!answering.signal.aborted) throw error
          }
          answering = null
          messages = [...asked, { role: 'assistant', content: answer }]
          terminal.out('\n')
        }
        lines.prompt()
      }
      lines.close()
      return 0
    })
  },
})

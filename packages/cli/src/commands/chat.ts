import { Ift, IftError, verb, type OpenModel, type VerbTerminal } from '@ift/core'
import { runCommand } from '../chat/commands.js'
import { Conversation } from '../chat/conversation.js'
import { messagesFrom } from '../chat/lines.js'
import { noteModel } from '../ui/model-line.js'
import { useAdapter, useOption } from '../ui/use-adapter.js'

export const chat = verb({
  name: 'chat',
  description: 'Talk with a model in the terminal.',
  example: 'npx ift chat --adapter ./run/adapter',
  config: ['weights', 'adapter', 'template', 'device', 'dtype', 'quantize', 'deterministic', 'generate'],
  options: {
    system: { type: 'string', value: 'text', description: 'text that stands before the conversation' },
    use: useOption,
  },
  run({ terminal, session, cwd, options }) {
    return Ift.using(session, async (ift) => {
      const open = await ift.openModel()
      useAdapter(open, options.use)
      const talk = await Talk.begin(ift, open, terminal)
      if (options.system !== undefined) talk.conversation.system = options.system
      await noteModel(ift, open, terminal)
      terminal.note('/help lists the commands, /exit ends.')
      const lines = messagesFrom(process.stdin, terminal.stderr, terminal.style('bold', '> '))
      lines.onInterrupt(() => {
        if (!talk.stop()) lines.close()
      })
      lines.prompt()
      for await (const line of lines) {
        const text = line.trim()
        const state = {
          conversation: talk.conversation,
          open,
          cwd,
          note: (said: string) => terminal.note(said),
        }
        let outcome = text === '' ? 'stay' : 'answer'
        if (text.startsWith('/') && !text.includes('\n')) outcome = await runCommand(text, state)
        else if (text !== '') talk.conversation.ask(text)
        if (outcome === 'exit') break
        if (outcome === 'answer' && text === '/retry' && !ift.config.generate.doSample)
          terminal.note('Without sampling the answer is the same: --generate.doSample gives others.')
        if (outcome === 'answer') await talk.answer()
        lines.prompt()
      }
      lines.close()
      return 0
    })
  },
})

/** A conversation with a model. */
class Talk {
  readonly conversation = new Conversation()
  #answering: AbortController | null = null
  /** Answers so far: each is sampled from a stream of its own, so that /retry gives another one. */
  #count = 0

  private constructor(
    readonly ift: Ift,
    readonly open: OpenModel,
    readonly terminal: VerbTerminal,
    readonly generator: Awaited<ReturnType<Ift['createGenerator']>>,
  ) {}

  static async begin(ift: Ift, open: OpenModel, terminal: VerbTerminal): Promise<Talk> {
    // The conversation so far stays in the cache.
    return new Talk(ift, open, terminal, await ift.createGenerator(open, { keepPrefixes: true }))
  }

  /** Ends the answer under way, which stays as far as it got; false when there is none. */
  stop(): boolean {
    this.#answering?.abort()
    return this.#answering !== null
  }

  /** Answers the last message. One that cannot be answered is taken back, and the chat goes on. */
  async answer(): Promise<void> {
    const { conversation, terminal, generator } = this
    const settings = this.ift.config.generate
    const answering = (this.#answering = new AbortController())
    let answer = ''
    try {
      const { text, finish } = await generator.generate(
        { messages: conversation.messages },
        { ...settings, seed: settings.seed + this.#count++ },
        {
          signal: answering.signal,
          onText: (piece) => {
            answer += piece
            terminal.out(piece)
          },
        },
      )
      answer = text
      terminal.out('\n')
      if (finish === 'length') terminal.note(this.#limit())
    } catch (error) {
      if (answer !== '') terminal.out('\n')
      if (!answering.signal.aborted) {
        if (!(error instanceof IftError)) throw error
        terminal.failure(error.message, this.#wayOn(error), error.code)
      }
      if (answer === '') conversation.withdraw()
    } finally {
      this.#answering = null
    }
    if (answer !== '') conversation.answered(answer)
  }

  #limit(): string {
    const { maxNewTokens } = this.ift.config.generate
    const { maxPositions } = this.open.shape
    const { places } = this.generator.virtualOf()
    const virtual = places > 0 ? `, ${places} of them for virtual tokens` : ''
    const positions = maxPositions === null ? '' : `, or the ${maxPositions} positions of the model${virtual}`
    return `The answer ended at a limit: ${maxNewTokens} new tokens (--generate.maxNewTokens)${positions}.`
  }

  #wayOn({ code, hint }: IftError): string | undefined {
    return code === 'IFT_SEQUENCE_TOO_LONG' ? 'Begin anew: /clear. Or say less at once.' : hint
  }
}

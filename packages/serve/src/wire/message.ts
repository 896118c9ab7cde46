import type { ToolEvent } from '../tools/parser.js'

interface Call {
  readonly id: string
  readonly type: 'function'
  readonly function: { readonly name: string; arguments: string }
}

/** The message that the events of an answer make. */
export class AssistantMessage {
  #content = ''
  #reasoning = ''
  readonly #calls: Call[] = []

  add(events: readonly ToolEvent[]): void {
    for (const event of events) {
      if (event.kind === 'content') this.#content += event.text
      else if (event.kind === 'reasoning') this.#reasoning += event.text
      else if (event.kind === 'call')
        this.#calls[event.index] = {
          id: event.id,
          type: 'function',
          function: { name: event.name, arguments: '' },
        }
      else this.#calls[event.index]!.function.arguments += event.text
    }
  }

  get hasCalls(): boolean {
    return this.#calls.length > 0
  }

  get message() {
    return {
      role: 'assistant',
      content: this.#content === '' && this.hasCalls ? null : this.#content,
      refusal: null,
      ...(this.#reasoning !== '' && { reasoning_content: this.#reasoning }),
      ...(this.hasCalls && { tool_calls: this.#calls }),
    }
  }
}

/** Deltas of the events of an answer: name and id of a call come once. */
export const deltasOf = (events: readonly ToolEvent[]): object[] =>
  events.map((event) => {
    if (event.kind === 'content') return { content: event.text }
    if (event.kind === 'reasoning') return { reasoning_content: event.text }
    const { index } = event
    return event.kind === 'call'
      ? {
          tool_calls: [
            { index, id: event.id, type: 'function', function: { name: event.name, arguments: '' } },
          ],
        }
      : { tool_calls: [{ index, function: { arguments: event.text } }] }
  })

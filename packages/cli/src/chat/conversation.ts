import type { Message } from '@ift/core'

/** What was said in a chat, with the text that stands before all of it. */
export class Conversation {
  system: string | null = null
  #turns: Message[] = []

  /** The conversation as a model reads it. */
  get messages(): readonly Message[] {
    return this.system === null ? this.#turns : [{ role: 'system', content: this.system }, ...this.#turns]
  }

  get isEmpty(): boolean {
    return this.#turns.length === 0
  }

  ask(content: string): void {
    this.#turns.push({ role: 'user', content })
  }

  answered(content: string): void {
    this.#turns.push({ role: 'assistant', content })
  }

  /** Takes the last answer back so that its question is open again; false when nothing was answered. */
  reopen(): boolean {
    if (this.#turns.at(-1)?.role !== 'assistant') return false
    this.#turns.pop()
    return true
  }

  /** Takes back a question that got no answer. */
  withdraw(): void {
    if (this.#turns.at(-1)?.role === 'user') this.#turns.pop()
  }

  clear(): void {
    this.#turns = []
  }

  /** A record of the form `messages`, which `data:` reads. */
  record(): string {
    return `${JSON.stringify({ messages: this.messages })}\n`
  }
}

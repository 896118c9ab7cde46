import type { Generation } from '../contract/generate.js'

/**
 * The text of an answer: leading white space of a model is removed, in the pieces of a stream and in the whole. The
 * continuation of a bare text keeps it.
 */
export class AnswerText {
  #begun: boolean

  constructor(prompt: unknown) {
    this.#begun = typeof prompt === 'string'
  }

  /** A piece of a stream, in order. */
  piece(text: string): string {
    const shown = this.#begun ? text : text.trimStart()
    this.#begun ||= shown !== ''
    return shown
  }

  static of(prompt: unknown, generation: Generation): Generation {
    return { ...generation, text: new AnswerText(prompt).piece(generation.text) }
  }
}

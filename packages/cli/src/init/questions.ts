import { createInterface } from 'node:readline/promises'

/** One question, with what Enter alone answers. */
export interface Question {
  readonly text: string
  readonly usual: string
  /** Answers to choose from by number; others are allowed. */
  readonly choices?: readonly string[]
}

export type Ask = (question: Question) => Promise<string>

/** A number picks a choice; nothing takes the usual answer. */
export function answerOf({ usual, choices = [] }: Question, typed: string): string {
  const text = typed.trim()
  if (text === '') return usual
  return /^\d+$/.test(text) ? (choices[Number(text) - 1] ?? text) : text
}

/** Asks on a terminal. Ends by `close`; input that ends before takes the usual answers for the rest. */
export function questions(
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
): { readonly ask: Ask; readonly close: () => void } {
  const lines = createInterface({ input, output })
  const ended = new Promise<string>((resolve) => {
    lines.once('close', () => {
      resolve('')
    })
  })
  return {
    async ask(question) {
      const { text, usual, choices = [] } = question
      const listed = choices.map((choice, i) => `  ${i + 1}) ${choice}\n`).join('')
      const typed = await Promise.race([lines.question(`${text}\n${listed}[${usual}] `), ended])
      return answerOf(question, typed)
    },
    close: () => {
      lines.close()
    },
  }
}

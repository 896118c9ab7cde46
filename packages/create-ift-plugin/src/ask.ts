import { createInterface } from 'node:readline/promises'

/** Asks one question on a terminal; null where the input ends. */
export type Ask = (question: string) => Promise<string | null>

/** Questions to whoever sits at a terminal; `close` gives it back. */
export function terminalQuestions(
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
): { readonly ask: Ask; readonly close: () => void } {
  const lines = createInterface({ input, output })
  const ended = new Promise<null>((resolve) => {
    lines.once('close', () => {
      resolve(null)
    })
  })
  return {
    ask: (question) => Promise.race([lines.question(question), ended]),
    close: () => {
      lines.close()
    },
  }
}

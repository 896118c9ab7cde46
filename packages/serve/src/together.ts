import type { Answer, AnswerPiece, Generation } from '@ift/core'

/** Something of one of several answers: a piece, or its end. */
export type Event =
  | { readonly index: number; readonly piece: AnswerPiece; readonly end?: undefined }
  | { readonly index: number; readonly piece: null; readonly end: Generation }

/** Pieces and ends of answers as they come. The first error ends it; to leave ends all of the answers. */
export async function* together(answers: readonly Answer[]): AsyncGenerator<Event, void> {
  const readers = answers.map((answer) => answer.pieces())
  const read = async (index: number): Promise<Event> => {
    const { value, done } = await readers[index]!.next()
    if (done !== true) return { index, piece: value }
    return { index, piece: null, end: await answers[index]!.result }
  }
  const next = (index: number) => {
    const event = read(index)
    // It may fail before somebody waits for it.
    event.catch(() => undefined)
    return event
  }
  const waiting = new Map(answers.map((_, index) => [index, next(index)]))
  try {
    while (waiting.size > 0) {
      const event = await Promise.race(waiting.values())
      const { index } = event
      if (event.piece) waiting.set(index, next(index))
      else waiting.delete(index)
      yield event
    }
  } finally {
    for (const index of waiting.keys()) answers[index]!.cancel()
  }
}

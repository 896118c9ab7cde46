import { createInterface } from 'node:readline'
import { historyFile, keepHistory, readHistory } from './history.js'

/** What a person types, message by message. */
export interface Lines extends AsyncIterable<string> {
  /** Asks for the next message. */
  prompt(): void
  /** Calls back for Ctrl-C. */
  onInterrupt(fn: () => void): void
  close(): void
}

/** Time in which the lines of one paste arrive, in ms: a terminal sends them at once, a person needs longer for one. */
const paste = 20

/**
 * Messages from a terminal, with what was typed in earlier chats; lines that are pasted together are one message, and Enter ends the
 * last of them. Without a terminal every line is a message.
 */
export function messagesFrom(
  input: NodeJS.ReadStream,
  output: NodeJS.WritableStream,
  prompt: string,
  file = historyFile(),
): Lines {
  const isTerminal = input.isTTY
  const lines = createInterface({
    input,
    output,
    prompt,
    ...(isTerminal && { history: readHistory(file), historySize: 500, removeHistoryDuplicates: true }),
  })
  const waiting: string[] = []
  let pasted: string[] = []
  let timer: NodeJS.Timeout | undefined
  let ended = false
  let wake: (() => void) | null = null
  const next = () => {
    wake?.()
    wake = null
  }
  const submit = () => {
    timer = undefined
    // The last line of a paste is still on the prompt: Enter sends all of it.
    if (isTerminal && lines.line !== '') return
    waiting.push(pasted.join('\n'))
    pasted = []
    next()
  }
  lines.on('line', (line) => {
    pasted.push(line)
    if (!isTerminal) submit()
    else timer ??= setTimeout(submit, paste)
  })
  lines.on('close', () => {
    clearTimeout(timer)
    if (pasted.length) waiting.push(pasted.join('\n'))
    ended = true
    if (isTerminal) keepHistory(file, (lines as unknown as { history: string[] }).history)
    next()
  })
  return {
    prompt: () => {
      if (!ended) lines.prompt()
    },
    onInterrupt: (fn) => lines.on('SIGINT', fn),
    close: () => {
      lines.close()
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const message = waiting.shift()
        if (message !== undefined) yield message
        else if (ended) return
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    },
  }
}

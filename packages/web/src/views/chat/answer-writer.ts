import { ApiError } from '../../api/client.js'
import { chat, type AnswerToken, type ChatAsked, type ToolCall } from '../../api/completions.js'
import type { Answer } from './tree.js'

/** What of an answer changes while it is written. */
export interface Written {
  readonly content: string
  readonly answer: Answer
}

export interface WriteOptions {
  readonly asked: ChatAsked
  /** What there is already, which is gone on with. */
  readonly begun?: { readonly content: string; readonly tokens: readonly AnswerToken[] | null } | undefined
  readonly signal: AbortSignal
  /** Called with what there is after each piece. */
  readonly onChange: (written: Written) => void
  readonly now?: () => number
}

/** An answer of which nothing is written yet. */
export const blankAnswer = ({ model, seed }: Pick<ChatAsked, 'model' | 'seed'>): Answer => ({
  ...{ model, seed, reasoning: '', thought: null, calls: [], tokens: null, usage: null, count: 0 },
  ...{ first: null, seconds: null, end: 'writing', error: null },
})

/** Reads an answer to its end, which may be an error or the signal; never throws for those. */
export async function write({
  asked,
  begun,
  signal,
  onChange,
  now = () => performance.now(),
}: WriteOptions): Promise<Written> {
  const started = now()
  let content = begun?.content ?? ''
  let tokens: AnswerToken[] | null = asked.probabilities ? [...(begun?.tokens ?? [])] : null
  // What goes on has probabilities only where what was begun has them.
  if (begun && begun.tokens === null && begun.content !== '') tokens = null
  let newest: readonly AnswerToken[] = []
  let reasoning = ''
  let thoughtUntil: number | null = null
  const calls: ToolCall[] = []
  let answer = blankAnswer(asked)
  let pieces = 0
  const tell = (change: Partial<Answer> = {}) => {
    const count =
      answer.usage?.completion ??
      Math.max(pieces, tokens === null ? 0 : tokens.length - (begun?.tokens?.length ?? 0))
    answer = {
      ...answer,
      ...{ reasoning, count, calls: [...calls], tokens: tokens === null ? null : [...tokens] },
      seconds: (now() - started) / 1000,
      thought: thoughtUntil === null ? null : (thoughtUntil - started) / 1000,
      ...change,
    }
    const written = { content, answer }
    onChange(written)
    return written
  }
  const first = () => (answer.first === null ? { first: (now() - started) / 1000 } : {})
  try {
    let end: Answer['end'] = 'ended'
    for await (const event of chat(asked, signal)) {
      if (event.kind === 'content') {
        // Tokens of thoughts belong to no text that is shown.
        if (reasoning !== '' && thoughtUntil === null && tokens !== null) tokens = [...newest]
        if (reasoning !== '') thoughtUntil ??= now()
        content += event.text
        pieces++
      } else if (event.kind === 'reasoning') {
        reasoning += event.text
        pieces++
      } else if (event.kind === 'tokens') {
        newest = event.tokens
        tokens?.push(...event.tokens)
      } else if (event.kind === 'call') calls[event.index] = { id: event.id, name: event.name, arguments: '' }
      else if (event.kind === 'arguments') {
        const call = calls[event.index]
        if (call) calls[event.index] = { ...call, arguments: call.arguments + event.text }
        pieces++
      } else if (event.kind === 'usage') {
        answer = { ...answer, usage: event.usage }
        continue
      } else if (event.reason !== 'stop') end = event.reason === 'length' ? 'length' : 'calls'
      tell(event.kind === 'finish' ? {} : first())
    }
    return tell({ end })
  } catch (error) {
    if (signal.aborted) return tell({ end: 'stopped' })
    if (error instanceof ApiError)
      return tell({ end: 'failed', error: { code: error.code, message: error.message } })
    throw error
  }
}

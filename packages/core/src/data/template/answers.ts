import type { Message } from '../../contract/data.js'
import { visible, type Mark } from './jinja/index.js'

// Where the answers stand in the one text that a template makes of a whole conversation. Marks around what a message says tell
// the place; the answer begins behind what the template asks with and ends with the token that ends a turn.

/** Part of a text: from `start` to before `end`. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** An answer of the message with this index. */
export interface Answer extends Span {
  readonly message: number
}

/** Texts that a template writes around answers, found from a short conversation. */
export interface TurnShape {
  /** The generation prompt: text behind a question that asks the model to answer. */
  readonly header: string
  /** Text that closes an answer before another question; null when it is unknown. */
  readonly closing: string | null
  /** Special tokens that end a turn. */
  readonly enders: ReadonlySet<string>
}

export interface Rendering {
  readonly text: string
  readonly marks: readonly Mark[]
}

export interface AnswerContext {
  readonly shape: TurnShape
  readonly specials: () => RegExp
  /** The text that asks for the answer of this message, for templates that always ask. */
  readonly promptOf: (message: number) => string | null
  /** Text behind the answer of this message when it is the last message. */
  readonly closingOf: (message: number) => string | null
}

/** A span between marks, and whether it has the mark at either side: a template that cuts a text loses one. */
interface MarkedSpan extends Span {
  readonly opened: boolean
  readonly closed: boolean
}

/** The span with what of the content stands before its first mark, or behind its last one. */
function whole(text: string, span: MarkedSpan, content: string): Span {
  let { start, end } = span
  if (!span.opened)
    for (let i = content.length - 1; i >= 0 && start > 0 && text[start - 1] === content[i]; i--) start--
  if (!span.closed) for (let i = 0; i < content.length && text[end] === content[i]; i++) end++
  return { start, end }
}

/** The places of each message in order: templates may repeat what one says, or write another one inside it. */
export function spansOf(marks: readonly Mark[]): ReadonlyMap<number, readonly MarkedSpan[]> {
  const spans = new Map<number, MarkedSpan[]>()
  let before: number | null = null
  for (const { number, at, opens } of marks) {
    if (number === null) continue
    const known = spans.get(number) ?? []
    const last = known.at(-1)
    if (last && before === number) known[known.length - 1] = { ...last, end: at, closed: !opens }
    else known.push({ start: at, end: at, opened: opens, closed: !opens })
    spans.set(number, known)
    before = number
  }
  return spans
}

/**
 * Finds the texts around answers from three renderings: a question with its answer, the same with another question
 * behind it, and the generation prompt.
 */
export function turnShape(
  answered: Rendering,
  followed: Rendering | null,
  header: string,
  { eos, specials }: { readonly eos: string | null; readonly specials: () => RegExp },
): TurnShape | null {
  const places = (rendering: Rendering | null, ...numbers: readonly number[]) => {
    const spans = rendering && spansOf(rendering.marks)
    return numbers.map((number) => spans?.get(number)?.[0])
  }
  const [answer] = places(answered, 1)
  if (!answer) return null
  const behind = answered.text.slice(answer.end)
  const [first, before, next] = places(followed, 0, 1, 2)
  let closing: string | null = null
  if (followed && first && before && next) {
    // Text in front of every question belongs to the question.
    const head = followed.text.slice(0, first.start)
    const between = followed.text.slice(before.end, next.start)
    let shared = 0
    while (
      shared < between.length &&
      shared < head.length &&
      between.at(-1 - shared) === head.at(-1 - shared)
    )
      shared++
    const end = between.length - shared
    const cut = [...between.matchAll(specials())].find(
      ({ index, 0: token }) => index < end && index + token.length > end,
    )
    closing = between.slice(0, cut ? cut.index + cut[0].length : end)
  }
  const ender = closing === null ? undefined : [...closing.matchAll(specials())].at(-1)?.[0]
  const enders = new Set(ender === undefined ? [] : [ender])
  const last = specials().exec(behind)?.[0]
  if (last !== undefined && (ender === undefined || !behind.includes(ender))) enders.add(last)
  if (enders.size > 0 && eos !== null) enders.add(eos)
  return { header, closing, enders }
}

/** Length of the common beginning of two texts, not ending inside a special token. */
export function commonLength(a: string, b: string, specials: RegExp): number {
  let length = 0
  while (length < a.length && length < b.length && a[length] === b[length]) length++
  for (const match of a.matchAll(specials))
    if (match.index < length && match.index + match[0].length > length) return match.index
  return length
}

/** Where what asks for an answer ends, which begins between `from` and `own` and ends before `limit`. */
function headerEnd(
  text: string,
  { from, own, limit }: { readonly from: number; readonly own: number; readonly limit: number },
  message: number,
  { shape: { header }, promptOf }: AnswerContext,
): number | null {
  const found = header === '' ? -1 : text.indexOf(header, from)
  if (found >= 0 && found <= own && found + header.length <= limit) return found + header.length
  const prompt = promptOf(message)
  return prompt !== null && prompt.length >= from && prompt.length <= limit && text.startsWith(prompt)
    ? prompt.length
    : null
}

/** Of what a template asks with, the most that is looked for in parts; it is a line or two, and each part is a search. */
const longestOpening = 4096

/** Where an answer begins whose own text is `span`; nothing of it stands before `from`. */
function beginOf(text: string, from: number, span: Span, message: number, context: AnswerContext): number {
  const { header } = context.shape
  const own = span.start
  const behind = headerEnd(text, { from, own, limit: span.end }, message, context)
  if (behind !== null) return behind
  // The prompt may open a block that answers lack: their common beginning counts.
  const region = text.slice(from, own)
  for (let length = Math.min(header.length - 1, longestOpening); length > 0; length--) {
    const part = header.slice(0, length)
    if (part.trim() === '') break
    if (region.endsWith(part)) return own
    const at = region.indexOf(part)
    if (at >= 0 && (length * 2 >= header.length || context.specials().test(part))) return from + at + length
  }
  return own
}

/** Where an answer ends whose own text ends at `own`; what follows it begins at `limit`. */
function endOf(
  text: string,
  own: number,
  limit: number,
  answer: { readonly message: number; readonly last: boolean; readonly calls: boolean },
  context: AnswerContext,
): number {
  const { shape, specials } = context
  const tail = text.slice(own, limit)
  const found = [...tail.matchAll(specials())].map(({ index, 0: token }) => ({
    token,
    end: own + index + token.length,
  }))
  const ender = found.find(({ token }) => shape.enders.has(token))
  if (ender) return ender.end
  if (answer.calls) {
    // Calls are closed by texts and tokens of their own before the turn ends.
    const alone = answer.last ? tail : context.closingOf(answer.message)
    if (alone !== null) {
      const length = commonLength(tail, alone, specials())
      const within = found.findLast(({ end }) => end <= own + length)
      if (within) return within.end
      // A common beginning that ends inside a line is shared by chance in that line.
      const shared =
        length < alone.length && length < tail.length ? tail.lastIndexOf('\n', length - 1) + 1 : length
      return own + shared
    }
  }
  const [first] = found
  const { closing } = shape
  if (closing === null) return first ? first.end : answer.last ? limit : own
  return own + commonLength(tail, closing, specials())
}

const specialAtEnd = ({ source }: RegExp): RegExp => new RegExp(`(?:${source})\\s*$`)

/** The answers of a rendering in order; those that the template does not write are missing. */
export function findAnswers(
  { text, marks }: Rendering,
  messages: readonly Message[],
  context: AnswerContext,
): Answer[] {
  const spans = new Map(spansOf(marks))
  const last = messages.findLastIndex(({ role }) => role === 'assistant')
  const answers: Answer[] = []
  let from = 0
  for (const [i, { role, content, toolCalls }] of messages.entries()) {
    const found = spans.get(i)?.find(({ start }) => start >= from)
    const span = found && whole(text, found, content)
    if (role !== 'assistant') {
      from = span?.end ?? from
      continue
    }
    let limit = text.length
    let next = -1
    for (const [other, places] of spans)
      for (const { start } of places)
        if (other > i && start >= (span?.end ?? from) && start < limit) [next, limit] = [other, start]
    const what = { message: i, last: i === last, calls: toolCalls !== undefined && toolCalls.length > 0 }
    if (span) {
      const start = beginOf(text, from, span, i, context)
      const end = endOf(text, span.end, limit, what, context)
      answers.push({ message: i, start, end })
      from = end
      continue
    }
    // Numbers, keys and parts of texts have no marks. Text behind the generation prompt belongs to the answer when
    // the message makes calls or contains that text; other text comes from the template, not from the author.
    if (messages[next]?.role === 'assistant') continue
    const start = headerEnd(text, { from, own: limit, limit }, i, context)
    if (start === null) continue
    const end = endOf(text, start, limit, what, context)
    const written = text.slice(start, end).replace(specialAtEnd(context.specials()), '').trim()
    if (!what.calls && (written === '' || !visible(content).includes(visible(written)))) continue
    answers.push({ message: i, start, end })
    from = end
  }
  return answers
}

/** Spans between a template's `generation` marks, each with its message. */
export function generatedSpans({ text, marks }: Rendering): Answer[] {
  const spans: Answer[] = []
  let depth = 0
  let start = 0
  let message = -1
  let inside = -1
  for (const { number, opens, at } of marks) {
    if (number !== null) {
      message = number
      if (depth > 0) inside = number
      continue
    }
    if (opens && depth++ === 0) {
      start = at
      inside = -1
    }
    if (opens || --depth > 0) continue
    if (at > start) spans.push({ message: inside < 0 ? message : inside, start, end: at })
  }
  return depth > 0 ? [...spans, { message, start, end: text.length }] : spans
}

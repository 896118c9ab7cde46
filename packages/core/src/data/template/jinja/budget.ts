import { TemplateError } from './errors.js'

// Templates come with checkpoints, from anybody, and are rendered for every sample in the process that trains. What one
// rendering may cost is counted, so that the same template is refused on every machine. Work is counted where it is done:
// a round of a loop and the call of a macro cost the size of their block, an operation costs the size of what it reads and
// makes. What may be larger than its operands is checked before it is made.

/** What one rendering, or the reading of one template, may take. */
export const limits = {
  /** Nodes evaluated, items of lists, and sixteenths of characters: about a second of one core. */
  steps: 10_000_000,
  /** More of them for every character of the conversation: templates may look at each message for each other one. */
  stepsPerCharacter: 64,
  /** Characters of a text, the output among them: about a million tokens. */
  characters: 1 << 22,
  /** More of them for every character of the conversation, which a template may write several times. */
  charactersPerCharacter: 8,
  /** Items of a list. */
  items: 1 << 20,
  /** Macros that call each other; those of published templates go as deep as the schema of a tool. */
  macros: 100,
  /** Digits of a whole number; CPython writes and reads no longer ones. */
  digits: 4300,
  /** Characters of a template; the longest published ones have some 30 000. */
  source: 1 << 18,
  /** White space in a row in it, over which the library's lexer is quadratic. */
  blanks: 2048,
  /** Brackets within each other in it. */
  brackets: 100,
} as const

/** A template that takes more than it may: no other form of the conversation helps. */
export class TemplateLimit extends TemplateError {}

/** Steps that the rendering under way has left; outside of one nothing is counted. */
let left = Infinity
let longest = Infinity
let macros = 0
/** Characters of what is rendered, counted when the first bound is reached. */
let sizeOfInput: (() => number) | null = null

/** Raises the bounds by what the conversation allows, once. */
function extended(): boolean {
  if (!sizeOfInput) return false
  const size = sizeOfInput()
  sizeOfInput = null
  left += limits.stepsPerCharacter * size
  longest += limits.charactersPerCharacter * size
  return true
}

function exhausted(): void {
  if (extended() && left >= 0) return
  throw new TemplateLimit(`it takes more than ${limits.steps} steps, and was stopped`)
}

/** Counts work. Throws TemplateLimit when there was too much. */
export function spend(steps: number): void {
  if ((left -= steps) < 0) exhausted()
}

/** Counts a pass over a text. */
export function spendText(length: number): void {
  if ((left -= 1 + length / 16) < 0) exhausted()
}

/** Counts a text that is made, or will be, and refuses one that is too long. */
export function checkText(length: number): void {
  // A length that is no number is too long as well.
  if (!(length <= longest) && !(extended() && length <= longest))
    throw new TemplateLimit(`it makes a text of more than ${longest} characters, and was stopped`)
  spendText(length)
}

/** Counts a list that is made, or will be, and refuses one that is too long. */
export function checkList(length: number): void {
  if (left === Infinity) return
  if (!(length <= limits.items))
    throw new TemplateLimit(`it makes a list of more than ${limits.items} items, and was stopped`)
  spend(1 + length)
}

/** Counts what an operation has made. */
export function counted<T>(value: T): T {
  if (typeof value === 'string') checkText(value.length)
  else if (Array.isArray(value)) checkList(value.length)
  else spend(value instanceof Map ? 1 + value.size : 1)
  return value
}

/** `text` so many times. */
export function repeatText(text: string, times: number): string {
  if (times <= 0 || text === '') return ''
  checkText(text.length * times)
  return text.repeat(times)
}

/** Texts with another one between each two. */
export function joinTexts(parts: readonly string[], separator = ''): string {
  let length = separator.length * Math.max(0, parts.length - 1)
  for (const part of parts) length += part.length
  spend(parts.length)
  checkText(length)
  return parts.join(separator)
}

/** The block of a macro: those that call each other are as deep as they may be. */
export function inMacro<T>(run: () => T): T {
  if (++macros > limits.macros)
    throw new TemplateLimit(`its macros call each other more than ${limits.macros} deep, and it was stopped`)
  const made = run()
  macros--
  return made
}

const isStackOverflow = (error: unknown) =>
  error instanceof RangeError && error.message.includes('call stack')

/** Reads a template or a value. Throws TemplateLimit for what lies too deep. */
export function withinStack<T>(run: () => T): T {
  try {
    return run()
  } catch (cause) {
    if (isStackOverflow(cause))
      throw new TemplateLimit('what it has within each other is too deep, and it was stopped', { cause })
    throw cause
  }
}

/** Renders within the limits; `inputSize` counts the characters of what is rendered. */
export function withinLimits<T>(inputSize: () => number, run: () => T): T {
  const outer = { left, longest, macros, sizeOfInput }
  left = limits.steps
  longest = limits.characters
  macros = 0
  sizeOfInput = inputSize
  try {
    return withinStack(run)
  } finally {
    ;({ left, longest, macros, sizeOfInput } = outer)
  }
}

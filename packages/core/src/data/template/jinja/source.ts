import { parse, tokenize } from '@huggingface/jinja'
import { limits, TemplateLimit } from './budget.js'
import type { Block } from './tree.js'

// The library's declarations do not resolve under Node's rules for modules, so that its types are named here.
interface Token {
  readonly value: string
  readonly type: string
}
const tokensOf = tokenize as unknown as (
  source: string,
  options: { readonly lstrip_blocks: boolean; readonly trim_blocks: boolean },
) => Token[]
const treeOf = parse as unknown as (tokens: readonly Token[]) => Block

/** The name that a block of `{% generation %}` has as a filter of the parsed template. */
export const generationFilter = '__generation__'
/** In front of the names of tests that are written with arguments; what is negated has the second one. */
export const testFilter = '__is__'
export const notTestFilter = '__is_not__'

const generation = /\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}/g

/** Whether a template marks what the model itself says. */
export const marksGeneration = (source: string): boolean => /\{%[-+]?\s*generation\s*[-+]?%\}/.test(source)

const token = (value: string, type: string): Token => ({ value, type })

const closers: Readonly<Partial<Record<string, string>>> = {
  OpenParen: 'CloseParen',
  OpenSquareBracket: 'CloseSquareBracket',
  OpenCurlyBracket: 'CloseCurlyBracket',
}

/** The place behind the bracket that closes the one at `at`. */
function behindBracket(tokens: readonly Token[], at: number): number {
  let depth = 0
  for (let i = at; i < tokens.length; i++) {
    if (closers[tokens[i]!.type]) depth++
    else if (Object.values(closers).includes(tokens[i]!.type) && --depth === 0) return i + 1
  }
  return tokens.length
}

/** The place behind a name, a literal or brackets, and what directly follows of members and calls. */
function behindPrimary(tokens: readonly Token[], at: number): number {
  let end = closers[tokens[at]!.type] ? behindBracket(tokens, at) : at + 1
  for (;;) {
    const type = tokens[end]?.type
    if (type === 'Dot') end += 2
    else if (type === 'OpenParen' || type === 'OpenSquareBracket') end = behindBracket(tokens, end)
    else return end
  }
}

const words = new Set(['and', 'or', 'not', 'else', 'if', 'is', 'in', 'for', 'elif', 'recursive'])
const isName = (at: Token | undefined, ...names: string[]) =>
  at?.type === 'Identifier' && (names.length === 0 || names.includes(at.value))

/**
 * The library's parser knows tests by their bare name. Those with an argument, `x is divisibleby(2)` and `x is in [1, 2]`, bind
 * as filters do, so that they are parsed as filters of a name of their own.
 */
function testsAsFilters(tokens: readonly Token[]): Token[] {
  const out: Token[] = []
  for (let i = 0; i < tokens.length; i++) {
    const at = tokens[i]!
    if (!isName(at, 'is') || out.at(-1)?.type === 'Dot') {
      out.push(at)
      continue
    }
    const negated = isName(tokens[i + 1], 'not')
    const place = i + (negated ? 2 : 1)
    const [name, next] = [tokens[place], tokens[place + 1]]
    const takes =
      next !== undefined &&
      (closers[next.type] !== undefined ||
        next.type === 'StringLiteral' ||
        next.type === 'NumericLiteral' ||
        (next.type === 'Identifier' && !words.has(next.value)))
    const isTest = isName(name) || (name?.type === 'ComparisonBinaryOperator' && name.value === '==')
    if (!name || !isTest || !takes) {
      out.push(at)
      continue
    }
    const end =
      next.type === 'OpenParen' ? behindBracket(tokens, place + 1) : behindPrimary(tokens, place + 1)
    const inner = testsAsFilters(tokens.slice(place + 1, end))
    const filter = (negated ? notTestFilter : testFilter) + (name.value === '==' ? 'eq' : name.value)
    out.push(token('|', 'Pipe'), token(filter, 'Identifier'))
    // `is in (1, 2)` is a tuple, other brackets hold arguments.
    if (next.type === 'OpenParen' && name.value !== 'in') out.push(...inner)
    else out.push(token('(', 'OpenParen'), ...inner, token(')', 'CloseParen'))
    i = end - 1
  }
  return out
}

/** The parser takes a dozen calls for a bracket. */
function checkBrackets(tokens: readonly Token[]): void {
  let depth = 0
  for (const { type } of tokens) {
    if (closers[type]) depth++
    else if (Object.values(closers).includes(type)) depth--
    if (depth > limits.brackets)
      throw new TemplateLimit(`it has more than ${limits.brackets} brackets within each other`)
  }
}

/**
 * The tree of a template. Line ends of Windows are read as "\n", as Jinja2 does; blocks and white space follow transformers'
 * settings (`trim_blocks`, `lstrip_blocks`).
 */
export function parseTemplate(source: string): Block {
  const text = source
    .replace(/\r\n?/g, '\n')
    .replace(generation, (_, before: string, end: string | undefined, behind: string) =>
      end === undefined
        ? `{%${before} filter ${generationFilter} ${behind}%}`
        : `{%${before} endfilter ${behind}%}`,
    )
  for (const [blanks] of text.matchAll(/\s+/g))
    if (blanks.length > limits.blanks)
      throw new TemplateLimit(`it has more than ${limits.blanks} characters of white space in a row`)
  const tokens = tokensOf(text, { lstrip_blocks: true, trim_blocks: true })
  checkBrackets(tokens)
  return treeOf(testsAsFilters(tokens))
}

import { parse, type ValueNode } from '@humanwhocodes/momoa'
import { boundJson, JsonBound } from '../../files/read-json.js'
import { DuplicateKey, exactJson, exactNumber, parseExactJson } from '../exact-json.js'

/** A number as JSON writes it, which keeps its digits; JSON5 has others, which become the nearest double. */
const jsonNumber = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/

/**
 * A text that people or programs wrote who do not keep to JSON: comments, commas behind the last value, single quotes, names without quotes,
 * line breaks in strings, and numbers of JSON5. NaN and Infinity, which JSON has no value for, are null. Digits and keys that are there twice
 * are as in `parseExactJson`, which reads what is JSON. Throws SyntaxError with the line in the text.
 */
export function parseTolerantJson(text: string): unknown {
  try {
    return parseExactJson(text)
  } catch (cause) {
    // Where strings and comments are is another question there, and so is how deep the text is.
    if (!(cause instanceof SyntaxError || cause instanceof JsonBound)) throw cause
  }
  boundJson(text, { json5: true })
  let body: ValueNode
  try {
    body = parse(text, { mode: 'json5', ranges: true }).body
  } catch (cause) {
    if (cause instanceof RangeError) throw new JsonBound('it is too many levels deep')
    throw new TolerantSyntax(cause instanceof Error ? cause.message : String(cause), lineOf(cause))
  }
  return valueOf(body, text)
}

/** `SyntaxError` with the line in the text, from 1. */
export class TolerantSyntax extends SyntaxError {
  constructor(
    message: string,
    readonly line: number,
  ) {
    super(message.replace(/ \(\d+:\d+\)$/, ''))
  }
}

const lineOf = (cause: unknown): number =>
  cause instanceof Error && 'line' in cause && typeof cause.line === 'number' ? cause.line : 1

function valueOf(node: ValueNode, text: string): unknown {
  switch (node.type) {
    case 'Object':
      return objectOf(node, text)
    case 'Array':
      return node.elements.map(({ value }) => valueOf(value, text))
    case 'String':
    case 'Boolean':
      return node.value
    case 'Number': {
      const [from, to] = node.range!
      const digits = text.slice(from, to)
      return jsonNumber.test(digits) ? exactNumber(digits) : node.value
    }
    default:
      return null
  }
}

function objectOf({ members }: Extract<ValueNode, { type: 'Object' }>, text: string): unknown {
  const entries = new Map<string, unknown>()
  for (const { name, value: inner, range } of members) {
    const key = name.type === 'Identifier' ? name.name : name.value
    const value = valueOf(inner, text)
    if (entries.has(key) && exactJson(entries.get(key)) !== exactJson(value))
      throw new DuplicateKey(key, range![0])
    entries.set(key, value)
  }
  return Object.fromEntries(entries)
}

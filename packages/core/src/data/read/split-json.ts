import { IftError } from '@ift/tensor'
import { decodeUtf8 } from './bytes.js'
import { RecordBound } from './record-bound.js'
import type { Chunks } from './record-file.js'

const quote = 0x22
const apostrophe = 0x27
const backslash = 0x5c
const slash = 0x2f
const star = 0x2a
const comma = 0x2c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d
const newline = 0x0a
const carriageReturn = 0x0d
export const isSpace = (byte: number): boolean =>
  byte === 0x20 || byte === newline || byte === carriageReturn || byte === 0x09

/** What a file holds at its top: values in a row, or those of one array, or the members of one object. */
export type JsonContainer = 'row' | 'array' | 'object'

/** What of a comment came last: a slash that may begin one, one up to the end of the line, a block, a star that may end it. */
type Comment = 'none' | 'slash' | 'line' | 'block' | 'star'

export interface JsonPiece {
  /** A value, or a member of the object: `"name": value`. */
  readonly text: string
  readonly where: string
  readonly container: JsonContainer
}

/**
 * Texts of JSON values one after another: the elements of a top-level array, values written in a row, or, if `members` is set, the members
 * of a top-level object. Only brackets and strings are followed here, so a file may be larger than the longest string of the runtime;
 * and, if `tolerant` is set, comments and strings in single quotes.
 */
export async function* splitJson(
  input: Chunks,
  path: string,
  { members = false, tolerant = false }: { readonly members?: boolean; readonly tolerant?: boolean } = {},
): AsyncGenerator<JsonPiece> {
  let line = 1
  let container: JsonContainer = 'row'
  let closed = false
  let depth = 0
  /** The sign that ends the string; 0 outside of one. */
  let string = 0
  let comment: Comment = 'none'
  let commentLine = 1
  let escaped = false
  let start = -1
  let startLine = 1
  let pending: Uint8Array[] = []
  // In an array or object, whether an element is due (after '[' or ','), or a separator.
  let elementDue = true
  const bound = new RecordBound(path)

  const broken = (
    what: string,
    at = line,
    hint = 'The file must be one JSON array of records, or one record a line (JSONL).',
  ) => new IftError('IFT_DATA_SYNTAX', `${path}:${at}: ${what}`, hint)
  const noComment = () => broken('a slash that begins no comment.', commentLine)

  const finish = (last: Uint8Array): JsonPiece => {
    const bytes = pending.length === 0 ? last : Buffer.concat([...pending, last])
    pending = []
    bound.end()
    const where = `${path}:${startLine}`
    return { text: decodeUtf8(bytes, where), where, container }
  }

  for await (const chunk of input) {
    let ended = 0
    if (start >= 0) start = 0
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!
      if (byte === newline) line++
      if (string !== 0) {
        if (escaped) escaped = false
        else if (byte === backslash) escaped = true
        else if (byte === string) string = 0
        continue
      }
      if (tolerant && (comment !== 'none' || byte === slash)) {
        const was: Comment = comment
        if (was === 'none') {
          comment = 'slash'
          commentLine = line
        } else if (was === 'slash') comment = byte === slash ? 'line' : byte === star ? 'block' : 'none'
        else if (was === 'line') comment = byte === newline || byte === carriageReturn ? 'none' : 'line'
        else comment = byte === star ? 'star' : was === 'star' && byte === slash ? 'none' : 'block'
        if (was !== 'slash' || comment !== 'none') continue
        throw noComment()
      }
      if (start < 0) {
        if (isSpace(byte)) continue
        if (closed) throw broken(`text after the end of the ${container}.`)
        if (container === 'row') {
          if (tolerant && byte === comma) continue
          if (elementDue && byte === openBracket) container = 'array'
          else if (elementDue && members && byte === openBrace) container = 'object'
          if (container !== 'row') continue
        } else {
          if (byte === (container === 'array' ? closeBracket : closeBrace)) {
            closed = true
            continue
          }
          if (byte === comma) {
            if (elementDue) throw broken('a comma where a record was expected.')
            elementDue = true
            continue
          }
          if (!elementDue)
            throw broken(`expected a comma or the end of the ${container} between two records.`)
        }
        elementDue = false
        start = i
        startLine = line
        depth = 0
      }
      if (byte === quote || (tolerant && byte === apostrophe)) string = byte
      else if (byte === openBrace || byte === openBracket) depth++
      else if (byte === closeBrace || byte === closeBracket) {
        if (depth === 0) {
          // The array ends right behind a bare value.
          yield finish(chunk.subarray(start, i))
          start = -1
          ended = i
          closed = true
          continue
        }
        if (--depth === 0) {
          yield finish(chunk.subarray(start, i + 1))
          start = -1
          ended = i
        }
      } else if (depth === 0 && (byte === comma || (container !== 'object' && isSpace(byte)))) {
        yield finish(chunk.subarray(start, i))
        start = -1
        ended = i
        elementDue = byte === comma
      }
    }
    if (start >= 0) pending.push(chunk.slice(start))
    // What of the chunk belongs to no record that ended in it.
    bound.add(start >= 0 ? chunk.length - start : chunk.length - ended, line)
  }
  if (comment === 'slash') throw noComment()
  if (comment === 'block' || comment === 'star')
    throw broken('a comment that does not end; what follows would be lost.', commentLine, 'End it with */.')
  if (start >= 0) {
    if (container !== 'row' || depth > 0 || string !== 0)
      throw broken('the file ends inside a record; it may have been cut off.', startLine)
    yield finish(new Uint8Array(0))
  }
  if (container !== 'row' && !closed)
    throw broken(`the file ends before the ${container} does; it may have been cut off.`)
}

import { HttpError } from './wire/errors.js'

/** Bytes of a body at most. */
export const mostBytes = 4 * 1024 * 1024
/** Lists and objects within each other at most. */
const mostDepth = 64

/** The JSON object in the body of a request. */
export async function jsonBody(request: Request): Promise<Readonly<Record<string, unknown>>> {
  const type = request.headers.get('content-type') ?? ''
  // Of all others browsers send some to other origins without asking.
  if (!/^application\/json\s*(;|$)/i.test(type))
    throw new HttpError(
      415,
      'content_type',
      `content-type expected application/json, found ${type === '' ? 'none' : type.slice(0, 100)}.`,
    )
  const text = await textOf(request)
  if (depthOf(text) > mostDepth) throw badJson(`lists and objects lie more than ${mostDepth} deep`)
  let value: unknown
  try {
    // A half of a pair of surrogates is no character; a tokenizer could do anything with it.
    const hasSurrogates = /\\u[dD][89a-fA-F]/.test(text)
    value = JSON.parse(text, hasSurrogates ? wellFormed : undefined)
  } catch (cause) {
    throw badJson(cause instanceof Error ? cause.message : String(cause))
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badJson(`expected an object, found ${Array.isArray(value) ? 'a list' : String(value).slice(0, 40)}`)
  return value as Readonly<Record<string, unknown>>
}

const badJson = (problem: string) => new HttpError(400, 'invalid_json', `The body: ${problem}.`)

const tooLarge = () =>
  new HttpError(413, 'body_too_large', `The body has more than ${mostBytes} bytes, the limit.`, {
    headers: { 'x-should-retry': 'false', connection: 'close' },
  })

async function textOf(request: Request): Promise<string> {
  if (Number(request.headers.get('content-length')) > mostBytes) throw tooLarge()
  const parts: Uint8Array[] = []
  let bytes = 0
  if (request.body)
    for await (const part of request.body as unknown as AsyncIterable<Uint8Array>) {
      bytes += part.byteLength
      if (bytes > mostBytes) throw tooLarge()
      parts.push(part)
    }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts))
  } catch {
    throw badJson('expected UTF-8')
  }
}

const wellFormed = (_: string, value: unknown): unknown =>
  typeof value === 'string' ? (value as string & { toWellFormed(): string }).toWellFormed() : value

/** How deep brackets lie in JSON, those in texts apart. */
function depthOf(text: string): number {
  let [depth, deepest] = [0, 0]
  let isText = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (isText) {
      if (code === 0x5c) i++
      else if (code === 0x22) isText = false
    } else if (code === 0x22) isText = true
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth)
    else if (code === 0x7d || code === 0x5d) depth--
  }
  return deepest
}

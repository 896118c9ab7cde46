import { TextDecoder } from 'node:util'
import { IftError } from '@ift/tensor'
import type { Chunks } from './record-file.js'

/** A file that is not in the encoding that it is read by; the hint is general until the file was tried in others. */
export class WrongEncoding extends IftError {}

/** Encodings of several bytes a character, which few texts of others can be decoded by; the most frequent first. */
const wide = ['gb18030', 'big5', 'shift_jis', 'euc-jp', 'euc-kr']

/** As much of a file as is tried. */
const mostTried = 128 << 20
/** Text beyond ASCII that its encoding is guessed by. */
const mostSample = 64 << 10

/** Names of the library that TextDecoder knows under another one, or that mean less than what files have under it. */
const nameOf = (name: string): string => {
  const lower = name.toLowerCase().replace(/^(utf-\d+) (le|be)$/, '$1$2')
  return lower === 'iso-8859-1' ? 'windows-1252' : lower
}

function decoderOf(name: string): TextDecoder | null {
  try {
    return new TextDecoder(name, { fatal: true })
  } catch {
    return null
  }
}

/** Bytes beyond ASCII with what stands beside them. */
function sampleOf(bytes: Uint8Array, most: number): Uint8Array {
  const first = bytes.findIndex((byte) => byte > 127)
  return first < 0 ? new Uint8Array(0) : bytes.slice(Math.max(0, first - 64), first + most)
}

/** Encodings that decode all of a text, the likeliest first. Only bytes tell them, so that short texts may be several. */
export async function encodingsOf(input: Chunks): Promise<readonly string[]> {
  const { analyse } = await import('chardet')
  const decoders = new Map<string, TextDecoder>()
  const fits = (name: string, bytes: Uint8Array, stream: boolean) => {
    try {
      decoders.get(name)!.decode(bytes, { stream })
    } catch {
      decoders.delete(name)
    }
  }
  const sample: Uint8Array[] = []
  const chunks: Uint8Array[] = []
  let tried = 0
  let sampled = 0
  for await (const chunk of input) {
    chunks.push(chunk)
    if (sampled < mostSample) sample.push(sampleOf(chunk, mostSample - sampled))
    sampled += sample.at(-1)?.length ?? 0
    if ((tried += chunk.length) >= mostTried) break
  }
  const text = Buffer.concat(sample)
  const zeros = zerosOf(chunks[0] ?? text)
  const likely = analyse(text)
    .filter(({ confidence }) => confidence > 0)
    .map(({ name, confidence }) => ({ name: nameOf(name), confidence }))
  const isSure = ({ confidence }: { confidence: number }) => confidence >= 50
  const pairs = text.some((byte, i) => byte > 127 && text[i + 1]! > 127)
  const names = [
    ...(zeros ? [zeros] : []),
    'utf-8',
    ...likely.filter(isSure).map(({ name }) => name),
    ...(pairs ? wide : []),
    ...likely.map(({ name }) => name),
  ]
  for (const name of new Set(names)) {
    const decoder = decoderOf(name)
    if (decoder) decoders.set(name, decoder)
  }
  chunks.forEach((chunk, i) => {
    const last = i === chunks.length - 1 && tried < mostTried
    for (const name of [...decoders.keys()]) fits(name, chunk, !last)
  })
  // Every text can be decoded by those of one byte a character: the likeliest is enough, and none when another fits.
  const found = [...decoders.keys()]
  const isWide = (name: string) => wide.includes(name) || name.startsWith('utf-')
  if (found[0] === undefined || !isWide(found[0])) return found.slice(0, 1)
  return zeros !== null && found[0] === zeros ? [zeros] : found.filter(isWide)
}

/** UTF-16 of text that is ASCII in part: bytes of zero on one side. Null for any other text. */
export function zerosOf(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | null {
  const head = bytes.subarray(0, 4096)
  const count = [0, 0]
  head.forEach((byte, i) => {
    if (byte === 0) count[i % 2]!++
  })
  const [even, odd] = count as [number, number]
  if (even + odd === 0 || (even + odd) * 20 < head.length || Math.min(even, odd) * 4 > Math.max(even, odd))
    return null
  return odd > even ? 'utf-16le' : 'utf-16be'
}

/** The error with the encodings that decode the file, as they are written in the config. */
export async function proposeEncoding(error: WrongEncoding, input: Chunks): Promise<IftError> {
  const names = await encodingsOf(input).catch(() => [])
  const [first, ...others] = names
  if (first === undefined)
    return new IftError(error.code, error.message, 'The file is damaged, or no text.', { cause: error.cause })
  const more = others.length > 0 ? `; so do ${others.slice(0, 3).join(', ')}: look at the text` : ''
  return new IftError(
    error.code,
    error.message,
    first === 'utf-8' ? 'It is UTF-8: leave out `encoding`.' : `encoding: ${first} decodes it${more}.`,
    { cause: error.cause },
  )
}

import { isAscii } from 'node:buffer'
import { TextDecoder } from 'node:util'
import { IftError } from '@ift/tensor'
import type { Chunks } from './record-file.js'

/** A file that is not in the encoding that it is read by; the hint is general until the file was tried in others. */
export class WrongEncoding extends IftError {
  /** `encoding` is that which failed, in lower case, `where` the place of its first wrong byte. */
  constructor(
    readonly encoding: string,
    readonly where: string,
    hint: string,
    cause?: unknown,
  ) {
    const name = encoding === 'utf-8' ? 'UTF-8' : encoding
    super('IFT_DATA_ENCODING', `${where}: the file is not ${name}.`, hint, { cause })
  }
}

/** Encodings of several bytes a character, which few texts of others can be decoded by; the most frequent first. */
const wide = ['gb18030', 'big5', 'shift_jis', 'euc-jp', 'euc-kr']

/** As much of a file as is tried. */
const mostTried = 128 << 20
const newline = 0x0a
/** Damaged lines behind which a text is in no need of being read on, unless others outnumber them. */
const mostDamaged = 1000
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

/** As much of a file as is tried, and whether that is all of it. */
interface Text {
  readonly chunks: readonly Uint8Array[]
  readonly isWhole: boolean
}

async function textOf(input: Chunks): Promise<Text> {
  const chunks: Uint8Array[] = []
  let tried = 0
  for await (const chunk of input) {
    chunks.push(chunk)
    if ((tried += chunk.length) >= mostTried) return { chunks, isWhole: false }
  }
  return { chunks, isWhole: true }
}

const isWide = (name: string) => wide.includes(name) || name.startsWith('utf-')

/** Encodings that decode all of a text, the likeliest first. Only bytes tell them, so that short texts may be several. */
export async function encodingsOf({ chunks, isWhole }: Text): Promise<readonly string[]> {
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
  let sampled = 0
  for (const chunk of chunks) {
    if (sampled >= mostSample) break
    sample.push(sampleOf(chunk, mostSample - sampled))
    sampled += sample.at(-1)!.length
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
    const last = i === chunks.length - 1 && isWhole
    for (const name of [...decoders.keys()]) fits(name, chunk, !last)
  })
  // Every text can be decoded by those of one byte a character: the likeliest is enough, and none when another fits.
  const found = [...decoders.keys()]
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

/** UTF-16 by its byte order mark or its zeros, of which any other text has none; those of one script throughout have few. */
function utf16Of([head, ...others]: readonly Uint8Array[], failed: string): string | null {
  if (!head) return null
  const [a, b] = head
  if (a === 0xff && b === 0xfe) return 'utf-16le'
  if (a === 0xfe && b === 0xff) return 'utf-16be'
  const isFailed = failed.startsWith('utf-16') && [head, ...others].some((chunk) => chunk.includes(0))
  return zerosOf(head) ?? (isFailed ? failed : null)
}

/** Lines of a text with bytes beyond ASCII: how many an encoding decodes, and which it does not. */
interface Soundness {
  readonly sound: number
  readonly damaged: number
  /** The first damaged line; 0 where there is none. */
  readonly first: number
  /** Characters of more than one byte, and places where no character is. */
  readonly characters: number
  readonly gaps: number
}

function soundnessIn(text: Text, encoding: string): Soundness {
  const count = { sound: 0, damaged: 0, first: 0, characters: 0, gaps: 0 }
  const lines = encoding.startsWith('utf-16') ? linesOfUnits(text, encoding) : linesOfBytes(text, encoding)
  for (const { line, characters, gaps } of lines) {
    if (characters + gaps === 0) continue
    count.characters += characters
    count.gaps += gaps
    if (gaps === 0) count.sound++
    else if (count.damaged++ === 0) count.first = line
    if (count.damaged > mostDamaged && !isDamaged(count)) break
  }
  return count
}

/** A line, and how many characters beyond ASCII and places without one it has. */
interface LineCount {
  readonly line: number
  readonly characters: number
  readonly gaps: number
}

const gapsOf = (text: string) => text.split('\ufffd').length - 1

/** Lines with bytes beyond ASCII, of an encoding in which the byte of a line end is no part of another character. */
function* linesOfBytes({ chunks, isWhole }: Text, encoding: string): Generator<LineCount> {
  const strict = new TextDecoder(encoding, { fatal: true })
  const loose = new TextDecoder(encoding)
  let line = 1
  function* take(bytes: Uint8Array, stream = false): Generator<LineCount> {
    if (isAscii(bytes)) return
    try {
      yield { line, characters: beyondAscii(strict.decode(bytes, { stream })), gaps: 0 }
    } catch {
      const text = loose.decode(bytes, { stream })
      const gaps = gapsOf(text)
      yield { line, characters: beyondAscii(text) - gaps, gaps: Math.max(1, gaps) }
    }
  }
  let pending: Uint8Array[] = []
  for (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      yield* take(Buffer.concat([...pending, chunk.subarray(start, end)]))
      pending = []
      start = end + 1
      line++
    }
    pending.push(chunk.subarray(start))
  }
  // It may end inside a character where the text goes on.
  yield* take(Buffer.concat(pending), !isWhole)
}

/** Lines of UTF-16, where a surrogate without another is a gap. */
function* linesOfUnits({ chunks, isWhole }: Text, encoding: string): Generator<LineCount> {
  const decoder = new TextDecoder(encoding)
  let line = 1
  let pending: string[] = []
  const take = () => {
    const text = pending.join('')
    pending = []
    const gaps = gapsOf(text)
    return { line: line++, characters: beyondAscii(text) - gaps, gaps }
  }
  for (const [i, chunk] of chunks.entries()) {
    const text = decoder.decode(chunk, { stream: i < chunks.length - 1 || !isWhole })
    for (const [n, part] of text.split('\n').entries()) {
      if (n > 0) yield take()
      pending.push(part)
    }
  }
  yield take()
}

const beyondAscii = (text: string): number => {
  let count = 0
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) count++
  return count
}

/** Whether all but a few lines are in an encoding, or all but a few characters where lines are long. */
const isDamaged = ({ sound, damaged, characters, gaps }: Soundness): boolean =>
  sound + damaged > 0 && (damaged * 2 <= sound || gaps * 20 <= characters)

/** The hint about a file of which some lines are damaged, and the rest is in the encoding; null for any other. */
function damageOf(error: WrongEncoding, text: Text, encoding: string): string | null {
  const soundness = soundnessIn(text, encoding)
  if (!isDamaged(soundness)) return null
  const isFailed = encoding === error.encoding
  if (!isFailed && soundness.damaged === 0) return null
  const line = isFailed ? /\d+$/.exec(error.where)![0] : soundness.first
  const name = encoding === 'utf-8' ? 'UTF-8' : encoding
  const use = isFailed ? '' : encoding === 'utf-8' ? ': leave out `encoding`' : `: encoding: ${encoding}`
  return `Line ${line} is damaged, and the rest is ${name}${use}. Mend or delete the line.`
}

/** The error with the encodings that decode the file, as they are written in the config, or with the line that is damaged. */
export async function proposeEncoding(error: WrongEncoding, input: Chunks): Promise<IftError> {
  const withHint = (hint: string) => new IftError(error.code, error.message, hint, { cause: error.cause })
  const text = await textOf(input).catch(() => null)
  const damagedFile = 'The file is damaged, or no text.'
  if (text === null) return withHint(damagedFile)
  // Few texts of other encodings are these by chance, so they count before those that decode the damage too.
  const marked = utf16Of(text.chunks, error.encoding)
  for (const name of marked ? [marked, 'utf-8'] : ['utf-8']) {
    const damage = damageOf(error, text, name)
    if (damage !== null) return withHint(damage)
  }
  const names = (await encodingsOf(text).catch(() => [])).filter((name) => name !== error.encoding)
  const [first, ...others] = names
  const isByChance = first !== undefined && !isWide(first)
  // What takes any byte decodes the damage too.
  const damage =
    wide.includes(error.encoding) && first !== 'utf-8' ? damageOf(error, text, error.encoding) : null
  if (damage !== null && (first === undefined || isByChance)) return withHint(damage)
  if (first === undefined) return withHint(damagedFile)
  const more = others.length > 0 ? `; so do ${others.slice(0, 3).join(', ')}: look at the text` : ''
  const proposal = `encoding: ${first} decodes it${more}.`
  return withHint(
    first === 'utf-8'
      ? 'It is UTF-8: leave out `encoding`.'
      : damage === null
        ? proposal
        : `${damage} Unless it is another encoding: ${proposal}`,
  )
}

import { IftError } from '@ift/tensor'
import type { PromptTemplate, TrainOn } from '../contract/template.js'
import type { Encoding, Strip, Tokenizer } from '../contract/tokenizer.js'
import { encodeRuns, type Run } from './encode-runs.js'
import {
  isText,
  isTokenized,
  type Example,
  type InstructionExample,
  type MessagesExample,
  type Sample,
  type Segment,
} from '../contract/data.js'

/** Label of a position where nothing is learned. */
export const ignoredLabel = -100

/**
 * Part of a sample longer than `maxLength` that is removed; the config's default is 'right'. 'right': the end of the
 * last answer that fits in part; its end token stays, so the model still learns to stop, and a turn of the user that
 * would end the text is left out. 'left': the start of the text behind bos, never part of an answer. 'drop': the
 * whole sample. A sample that would lose every answer is always dropped.
 */
export type Truncation = 'right' | 'left' | 'drop'

export interface EncodeOptions {
  /** Tokens of a sample at most. */
  readonly maxLength: number
  readonly trainOn: TrainOn
  readonly truncation: Truncation
}

/** Why an example became no sample: longer than `maxLength`, or without a token to learn. */
export type DropReason = 'long' | 'untrained'

export type Encoded =
  | { readonly sample: Sample; /** Tokens that were cut. */ readonly cut: number }
  | { readonly dropped: DropReason }

type Piece = Run | { readonly id: number; readonly trained: boolean }

const isRun = (piece: Piece): piece is Run => 'text' in piece

/** Id of a special segment; null when the tokenizer has no such token and goes without (bos only). */
function specialId(name: string, tokenizer: Tokenizer): number | null {
  if (name === 'bos') return tokenizer.bosId
  const id = name === 'eos' ? tokenizer.eosId : tokenizer.specials.get(name)
  if (id !== null && id !== undefined) return id
  throw new IftError(
    'IFT_TEMPLATE_TOKEN',
    name === 'eos'
      ? 'The template ends answers with the end token, and the tokenizer has none.'
      : `The template writes the special token "${name}", which the tokenizer does not have.`,
    'Choose a template that fits the tokenizer: `chat` for the checkpoint\'s own, or "alpaca".',
  )
}

/**
 * Segments of a template that knows nothing of the tokens around a prompt, with them: before everything, and before the
 * last answer, which then is all that is learned, because all before it is read in both directions.
 */
function framed(segments: readonly Segment[], { frame, specials }: Tokenizer): readonly Segment[] {
  if (!frame) return segments
  const names = new Map([...specials].map(([name, id]) => [id, name]))
  const around = (ids: readonly number[]): Segment[] =>
    ids.map((id) => ({ role: 'template', text: names.get(id)!, trained: false, special: true }))
  const [before, after] = [around(frame.before), around(frame.after)]
  const own = new Set([...before, ...after].map(({ text }) => text))
  if (segments.some(({ special, text }) => special === true && own.has(text))) return segments
  if (after.length === 0) return [...before, ...segments]
  const end = segments.findLastIndex(({ trained }) => trained)
  let start = end < 0 ? segments.length : end
  while (end >= 0 && start > 0 && segments[start - 1]!.trained) start--
  const answer = segments.slice(start).map((segment, i) =>
    // The space between prompt and answer is the one that a text begins with.
    i === 0 && start > 0 && !segment.special ? { ...segment, text: segment.text.replace(/^ /, '') } : segment,
  )
  const prompt = segments.slice(0, start).map((segment) => ({ ...segment, trained: false }))
  return [...before, ...prompt, ...after, ...answer]
}

/**
 * Joins segments into runs and puts bos in front exactly once, when the tokenizer's policy asks for it. White space that a
 * special token takes is gone.
 */
function piecesOf(segments: readonly Segment[], tokenizer: Tokenizer): Piece[] {
  const pieces: Piece[] = []
  let run: {
    text: string
    ends: number[]
    trained: boolean[]
    borders: number[]
    afterSpecial: boolean
  } | null = null
  let afterSpecial = false
  let answers = false
  let strip: Strip | undefined
  for (const { role, text, trained, special } of framed(segments, tokenizer)) {
    if (special) {
      const id = specialId(text, tokenizer)
      if (id === null) continue
      // A template that writes bos itself, twice in a row, would count it twice.
      const previous = pieces.at(-1)
      if (pieces.length === 1 && id === tokenizer.bosId && previous && !isRun(previous) && previous.id === id)
        continue
      strip = tokenizer.strips?.get(tokenizer.token(id) ?? text)
      if (strip?.left && run) {
        run.text = run.text.replace(/\p{White_Space}+$/u, '')
        run.ends = run.ends.map((end) => Math.min(end, run!.text.length))
        run.borders = run.borders.filter((border) => border < run!.text.length)
        if (run.text === '') pieces.pop()
      }
      pieces.push({ id, trained })
      run = null
      afterSpecial = true
    } else {
      const kept = !run && strip?.right ? text.replace(/^\p{White_Space}+/u, '') : text
      if (kept === '') continue
      if (!run) {
        run = { text: '', ends: [], trained: [], borders: [], afterSpecial }
        pieces.push(run)
      } else if (role === 'assistant' && !answers) run.borders.push(run.text.length)
      answers = role === 'assistant'
      // Half a surrogate pair is no character; as U+FFFD it keeps its place.
      run.text += kept.toWellFormed()
      run.ends.push(run.text.length)
      run.trained.push(trained)
    }
  }
  const first = pieces[0]
  if (
    tokenizer.addBos &&
    tokenizer.bosId !== null &&
    !(first && !isRun(first) && first.id === tokenizer.bosId)
  )
    pieces.unshift({ id: tokenizer.bosId, trained: false })
  return pieces
}

/** Ids of pieces in order with labels: a token is learned when the segment is in which its text begins. */
function assemble(pieces: readonly Piece[], encodings: readonly Encoding[]): Sample {
  let length = 0
  let next = 0
  for (const piece of pieces) length += isRun(piece) ? encodings[next++]!.ids.length : 1
  const ids = new Int32Array(length)
  const labels = new Int32Array(length).fill(ignoredLabel)
  let at = 0
  next = 0
  for (const piece of pieces) {
    if (!isRun(piece)) {
      ids[at] = piece.id
      if (piece.trained) labels[at] = piece.id
      at++
      continue
    }
    const encoding = encodings[next++]!
    const { ids: own, offsets } = encoding
    ids.set(own, at)
    const last = piece.ends.length - 1
    let segment = 0
    for (let i = 0; i < own.length; i++) {
      while (segment < last && offsets[2 * i]! >= piece.ends[segment]!) segment++
      if (piece.trained[segment]) labels[at + i] = own[i]!
    }
    at += own.length
  }
  return { ids, labels }
}

function isEnd(id: number, tokenizer: Tokenizer): boolean {
  if (id === tokenizer.eosId) return true
  for (const special of tokenizer.specials.values()) if (special === id) return true
  return false
}

/** Tokens at the start of a sample that stand before every text: bos, or what the tokenizer puts before a prompt. */
function beginning(ids: Int32Array, { bosId, frame }: Tokenizer): number {
  const before = frame?.before ?? []
  if (before.length > 0 && before.every((id, i) => ids[i] === id)) return before.length
  return ids[0] === bosId ? 1 : 0
}

/** A sample of `maxLength` tokens at most, made of one of any length. */
export function fitSample({ ids, labels }: Sample, tokenizer: Tokenizer, options: EncodeOptions): Encoded {
  const { maxLength, truncation } = options
  // The first token of a text is never a target.
  const learns = (from: number, to: number) =>
    labels.subarray(Math.max(1, from), to).some((label) => label !== ignoredLabel)
  if (!learns(0, ids.length)) return { dropped: 'untrained' }
  if (ids.length <= maxLength) return { sample: { ids, labels }, cut: 0 }
  if (truncation === 'drop') return { dropped: 'long' }
  if (truncation === 'right') {
    let end = maxLength
    // Behind an end token or inside the user's text there is nothing to finish.
    const whole = labels[end] === ignoredLabel || labels[end - 1] === ignoredLabel
    if (whole) while (end > 0 && labels[end - 1] === ignoredLabel) end--
    if (!learns(0, end)) return { dropped: 'long' }
    const sample = { ids: ids.slice(0, end), labels: labels.slice(0, end) }
    const endToken = labels.findLast((label) => label !== ignoredLabel)!
    // Ids made elsewhere may end without an end token; then there is none to keep.
    if (!whole && isEnd(endToken, tokenizer)) {
      sample.ids[end - 1] = endToken
      sample.labels[end - 1] = endToken
      if (!learns(0, end - 1)) return { dropped: 'long' }
    }
    return { sample, cut: ids.length - end }
  }
  const kept = beginning(ids, tokenizer)
  let start = ids.length - Math.max(0, maxLength - kept)
  // An answer that lost its beginning would be learned without its question.
  if (options.trainOn !== 'all') while (start < ids.length && labels[start] !== ignoredLabel) start++
  if (!learns(start + (kept > 0 ? 0 : 1), ids.length)) return { dropped: 'long' }
  const cutFront = (values: Int32Array) => {
    const rest = new Int32Array(ids.length - start + kept)
    rest.set(values.subarray(0, kept))
    rest.set(values.subarray(start), kept)
    return rest
  }
  return { sample: { ids: cutFront(ids), labels: cutFront(labels) }, cut: start - kept }
}

/** Checks ids made elsewhere; labels are the id of their own position or -100. */
function checkTokenized(
  ids: readonly number[],
  labels: readonly number[] | undefined,
  tokenizer: Tokenizer,
): Sample {
  for (const [i, id] of ids.entries()) {
    if (!Number.isInteger(id) || id < 0 || id >= tokenizer.vocabSize)
      throw new IftError(
        'IFT_DATA_RECORD',
        `ids[${i}]: expected an id below ${tokenizer.vocabSize}, found ${id}.`,
        'The ids were made with another tokenizer.',
      )
    const label = labels?.[i]
    if (label !== undefined && label !== ignoredLabel && label !== id)
      throw new IftError(
        'IFT_DATA_RECORD',
        `labels[${i}]: expected ${ignoredLabel} or the id at the same position, ${id}; found ${label}.`,
        'Labels are not shifted: labels[i] belongs to ids[i].',
      )
  }
  return { ids: Int32Array.from(ids), labels: Int32Array.from(labels ?? ids) }
}

function segmentsOf(example: Example, template: PromptTemplate, trainOn: TrainOn): readonly Segment[] {
  if (!isText(example)) return template.render(example as InstructionExample | MessagesExample, trainOn)
  return [
    { role: 'template', text: example.text, trained: true },
    { role: 'template', text: 'eos', trained: true, special: true },
  ]
}

/**
 * Samples of examples, in order. Each text is tokenised whole between special tokens, which go in as ids; labels come
 * from the character offsets of tokens. The end token behind an answer is learned.
 */
export async function encodeExamples(
  examples: readonly Example[],
  template: PromptTemplate,
  tokenizer: Tokenizer,
  options: EncodeOptions,
): Promise<Encoded[]> {
  const texts = examples.map((example) =>
    isTokenized(example) ? null : piecesOf(segmentsOf(example, template, options.trainOn), tokenizer),
  )
  const encodings = await encodeRuns(
    texts.flatMap((pieces) => pieces?.filter(isRun) ?? []),
    tokenizer,
  )
  let at = 0
  return examples.map((example, i) => {
    const pieces = texts[i]
    if (isTokenized(example))
      return fitSample(checkTokenized(example.ids, example.labels, tokenizer), tokenizer, options)
    const runs = pieces!.filter(isRun).length
    const sample = assemble(pieces!, encodings.slice(at, (at += runs)))
    return fitSample(sample, tokenizer, options)
  })
}

/** One example; see encodeExamples. */
export async function encodeExample(
  example: Example,
  template: PromptTemplate,
  tokenizer: Tokenizer,
  options: EncodeOptions,
): Promise<Encoded> {
  return (await encodeExamples([example], template, tokenizer, options))[0]!
}

/** Ids from which the model continues: the same as those of the training text up to the answer. */
export async function encodePrompt(
  example: InstructionExample | MessagesExample,
  template: PromptTemplate,
  tokenizer: Tokenizer,
): Promise<Int32Array> {
  const pieces = piecesOf(template.prompt(example), tokenizer)
  return assemble(pieces, await encodeRuns(pieces.filter(isRun), tokenizer)).ids
}

import { IftError } from '@ift/tensor'
import type { Encoding, Tokenizer } from '../contract/tokenizer.js'

/** Segments between two special tokens: one text, tokenised at once. */
export interface Run {
  readonly text: string
  /** End of each segment in `text`, and whether it is learned. */
  readonly ends: readonly number[]
  readonly trained: readonly boolean[]
  /** Where answers begin that have text before them in this run: there a prompt may end. */
  readonly borders: readonly number[]
  /** Whether a special token stands before it that the template wrote. */
  readonly afterSpecial: boolean
}

type Text = Pick<Run, 'text' | 'afterSpecial'>

const leads = new WeakMap<Tokenizer, Promise<{ text: string } | null>>()

/**
 * A special token to put before a run that follows one, for tokenizers that treat the start of a text differently
 * (SentencePiece's space in front, where it is added at the very start only); null when it makes no difference.
 */
function leadOf(tokenizer: Tokenizer): Promise<{ text: string } | null> {
  const known = leads.get(tokenizer)
  if (known) return known
  const probe = (async () => {
    const special = [...tokenizer.specials].find(([name]) => !tokenizer.strips?.has(name))
    if (!special) return null
    const [text, id] = special
    const [alone, behind] = [
      await tokenizer.encode('a'),
      await tokenizer.encode(`${text}a`, { specials: true }),
    ]
    const same =
      behind.ids.length === alone.ids.length + 1 && alone.ids.every((id, i) => behind.ids[i + 1] === id)
    return same || behind.ids[0] !== id ? null : { text }
  })()
  leads.set(tokenizer, probe)
  return probe
}

/** Cuts a text inside everything that looks like a special token, so that no part holds one. */
function guardSpecials(text: string, specials: readonly string[]): string[] {
  const parts: string[] = []
  let start = 0
  for (let at = 1; at < text.length; at++)
    if (specials.some((name) => name.length > 1 && text.startsWith(name, at - 1))) {
      parts.push(text.slice(start, at))
      start = at
    }
  parts.push(text.slice(start))
  return parts
}

/** Longer texts are hardly the same in two examples. */
const longestRepeated = 256

/** Encodes texts, what is the same in many once: a template writes such texts around every answer. */
async function encodeDistinct(texts: readonly string[], tokenizer: Tokenizer): Promise<Encoding[]> {
  const places = new Map<string, number>()
  const distinct: string[] = []
  const placeOf = (text: string) => {
    const known = text.length > longestRepeated ? undefined : places.get(text)
    if (known !== undefined) return known
    const place = distinct.push(text) - 1
    if (text.length <= longestRepeated) places.set(text, place)
    return place
  }
  const wanted = texts.map(placeOf)
  const encodings = await tokenizer.encodeBatch(distinct)
  return wanted.map((place) => encodings[place]!)
}

/** Encodes texts of many examples, all in two calls; equal ones may share an encoding. */
async function encodeTexts(texts: readonly Text[], tokenizer: Tokenizer): Promise<Encoding[]> {
  const lead = texts.some(({ afterSpecial }) => afterSpecial) ? await leadOf(tokenizer) : null
  if (!lead)
    return encodeDistinct(
      texts.map(({ text }) => text),
      tokenizer,
    )
  const specials = [...tokenizer.specials.keys()]
  const isLed = ({ afterSpecial }: Text) => afterSpecial
  // With `specials` on, a text that looks like a special token would become one.
  const parts = texts.filter(isLed).map(({ text }) => guardSpecials(text, specials))
  const [plain, led] = await Promise.all([
    encodeDistinct(
      texts.filter((text) => !isLed(text)).map(({ text }) => text),
      tokenizer,
    ),
    tokenizer.encodeBatch(
      parts.flat().map((part) => lead.text + part),
      { specials: true },
    ),
  ])
  let nextPlain = 0
  let nextLed = 0
  let nextParts = 0
  return texts.map((text) => {
    if (!isLed(text)) return plain[nextPlain++]!
    const own = parts[nextParts++]!
    const encodings = led.slice(nextLed, (nextLed += own.length))
    const length = encodings.reduce((sum, { ids }) => sum + ids.length - 1, 0)
    const whole = { ids: new Int32Array(length), offsets: new Int32Array(2 * length) }
    let [start, at] = [0, 0]
    for (const [k, { ids, offsets }] of encodings.entries()) {
      whole.ids.set(ids.subarray(1), at)
      for (let i = 2; i < offsets.length; i++)
        whole.offsets[2 * at + i - 2] = start + Math.max(0, offsets[i]! - lead.text.length)
      at += ids.length - 1
      start += own[k]!.length
    }
    return whole
  })
}

/** Characters in front of a text that make the tokenizer encode it as the middle of a text. */
const contexts = ['\n', 'a', '.', '0']

/** Encodes texts as what follows other text: nothing is added in front. Null where every context grows into the text. */
async function encodeBehind(texts: readonly string[], tokenizer: Tokenizer): Promise<(Encoding | null)[]> {
  const found = texts.map<Encoding | null>(() => null)
  for (const context of contexts) {
    const open = found.flatMap((encoding, i) => (encoding ? [] : [i]))
    if (open.length === 0) break
    const encoded = await tokenizer.encodeBatch(open.map((i) => context + texts[i]!))
    for (const [k, i] of open.entries()) found[i] = behind(encoded[k]!, context.length)
  }
  return found
}

function behind({ ids, offsets }: Encoding, length: number): Encoding | null {
  let first = 0
  while (first < ids.length && offsets[2 * first]! < length) first++
  const straddles = first > 0 && offsets[2 * first - 1]! > length
  if (straddles) return null
  return { ids: ids.slice(first), offsets: offsets.slice(2 * first).map((offset) => offset - length) }
}

function joined(a: Encoding, b: Encoding, at: number): Encoding {
  const ids = new Int32Array(a.ids.length + b.ids.length)
  ids.set(a.ids)
  ids.set(b.ids, a.ids.length)
  const offsets = new Int32Array(2 * ids.length)
  offsets.set(a.offsets)
  for (let i = 0; i < b.offsets.length; i++) offsets[a.offsets.length + i] = b.offsets[i]! + at
  return { ids, offsets }
}

/** The first token that ends behind a place; `straddles` when it begins before it. */
function tokenAt({ ids, offsets }: Encoding, place: number): { token: number; straddles: boolean } {
  let [low, high] = [0, ids.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (offsets[2 * middle + 1]! > place) high = middle
    else low = middle + 1
  }
  return { token: low, straddles: low < ids.length && offsets[2 * low]! < place }
}

/** White space in a row is cut by what follows it, so its tokens are others when nothing does. */
const dependsOnNext = /\s\s$/

/** An encoding on its way over the borders of its run; `split` is the last border that it was put together at, or 0. */
interface State {
  encoding: Encoding
  split: number
}

/**
 * Encodes runs of many examples. Where an answer begins inside a run, the tokens before it are those that the text before it has
 * alone, as a prompt that ends there: a token that would reach over the border is not made, or belongs to the answer when the
 * prompt goes without it.
 *
 * Throws IFT_TEMPLATE_TOKEN when the tokenizer cannot go on at a border.
 */
export async function encodeRuns(runs: readonly Run[], tokenizer: Tokenizer): Promise<Encoding[]> {
  const states: State[] = (await encodeTexts(runs, tokenizer)).map((encoding) => ({ encoding, split: 0 }))
  const rounds = Math.max(0, ...runs.map(({ borders }) => borders.length))
  for (let round = 0; round < rounds; round++) {
    const open = runs.flatMap(({ text, borders }, i) => {
      const border = borders[round]
      if (border === undefined) return []
      const { straddles } = tokenAt(states[i]!.encoding, border)
      return straddles || dependsOnNext.test(text.slice(Math.max(0, border - 2), border))
        ? [{ i, border }]
        : []
    })
    if (open.length > 0) await settle(open, runs, states, tokenizer)
  }
  return states.map(({ encoding }) => encoding)
}

async function settle(
  open: readonly { readonly i: number; readonly border: number }[],
  runs: readonly Run[],
  states: readonly State[],
  tokenizer: Tokenizer,
): Promise<void> {
  const prompts = await promptsOf(open, runs, states, tokenizer)
  const apart: { i: number; border: number; prompt: Encoding }[] = []
  for (const [k, { i, border }] of open.entries()) {
    const { encoding } = states[i]!
    const prompt = prompts[k]!
    const { token, straddles } = tokenAt(encoding, border)
    if (prompt.ids.length !== token || prompt.ids.some((id, j) => id !== encoding.ids[j]))
      apart.push({ i, border, prompt })
    else if (straddles) {
      const offsets = encoding.offsets.slice()
      offsets[2 * token] = border
      states[i]!.encoding = { ids: encoding.ids, offsets }
    }
  }
  const rest = await encodeBehind(
    apart.map(({ i, border }) => runs[i]!.text.slice(border)),
    tokenizer,
  )
  for (const [k, { i, border, prompt }] of apart.entries()) {
    const answer = rest[k]
    if (!answer)
      throw new IftError(
        'IFT_TEMPLATE_TOKEN',
        `A token straddles the border of prompt and answer, ${JSON.stringify(runs[i]!.text.slice(Math.max(0, border - 20), border))} ` +
          `and ${JSON.stringify(runs[i]!.text.slice(border, border + 20))}, and the tokenizer cannot begin the answer there.`,
        'End the prompt without white space and begin the answer with it.',
      )
    states[i]!.encoding = joined(prompt, answer, border)
    states[i]!.split = border
  }
}

/** Encodings of the text before borders, as a prompt that ends there is encoded. Equal ones are made once. */
async function promptsOf(
  open: readonly { readonly i: number; readonly border: number }[],
  runs: readonly Run[],
  states: readonly State[],
  tokenizer: Tokenizer,
): Promise<Encoding[]> {
  const whole = new Map<string, { readonly text: Text; encoding?: Encoding }>()
  const key = ({ text, afterSpecial }: Text) => `${afterSpecial ? 1 : 0}${text}`
  const textOf = (i: number, border: number): Text => ({
    text: runs[i]!.text.slice(0, border),
    afterSpecial: runs[i]!.afterSpecial,
  })
  const later: { k: number; i: number; border: number }[] = []
  for (const [k, { i, border }] of open.entries()) {
    if (states[i]!.split > 0) later.push({ k, i, border })
    else whole.set(key(textOf(i, border)), { text: textOf(i, border) })
  }
  const entries = [...whole.values()]
  const encodings = await encodeTexts(
    entries.map(({ text }) => text),
    tokenizer,
  )
  for (const [n, entry] of entries.entries()) entry.encoding = encodings[n]!
  const prompts = open.map(({ i, border }) => whole.get(key(textOf(i, border)))?.encoding)
  const parts = await encodeBehind(
    later.map(({ i, border }) => runs[i]!.text.slice(states[i]!.split, border)),
    tokenizer,
  )
  for (const [n, { k, i }] of later.entries()) {
    const { encoding, split } = states[i]!
    const { token } = tokenAt(encoding, split)
    const before = { ids: encoding.ids.slice(0, token), offsets: encoding.offsets.slice(0, 2 * token) }
    prompts[k] = joined(before, parts[n] ?? { ids: new Int32Array(0), offsets: new Int32Array(0) }, split)
  }
  return prompts.map((encoding) => encoding!)
}

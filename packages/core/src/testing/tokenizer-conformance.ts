import { IftError } from '@ift/tensor'
import type { Encoding, Tokenizer } from '../contract/tokenizer.js'
import type { ConformanceCase } from './dataset.js'

export interface GoldenEncoding {
  readonly text: string
  readonly ids: readonly number[]
}

export interface TokenizerConformanceOptions {
  /** Ids that another implementation gives. */
  readonly golden?: readonly GoldenEncoding[]
  /** Texts to try besides the kit's own. */
  readonly texts?: readonly string[]
  /**
   * The text after encoding and decoding, where the tokenizer's normalisation changes texts; the text itself by
   * default. Null where the result is undefined, such as for characters outside the vocabulary.
   */
  readonly decoded?: (text: string) => string | null
}

/** Text in many scripts, blanks, digits, code, characters of one to four bytes, joined emoji, marks. */
const kitTexts: readonly string[] = [
  '',
  'a',
  'Hello, world!',
  'The quick brown fox jumps over the lazy dog.',
  'two  blanks,   three blanks',
  'line one\nline two\r\n\tindented',
  '1234567890 3.14159 1,000,000',
  'def f(x):\n    return x ** 2  # square\n',
  'naïve café, Ångström, Straße',
  'Привет, мир! Как дела?',
  '今天天气怎么样？我们去公园散步吧。',
  '日本語のテキストと한국어 텍스트',
  'שלום עולם مرحبا بالعالم',
  '😀 a😀b 🎉🎉',
  '👩‍👩‍👧‍👦 family, 🇩🇪 flag, 👍🏽 thumb',
  '𝒜𝓁𝓅𝒽𝒶 𠮷野家',
  'mixed 中文 and English 混合 text',
  '{"key": ["value", null], "n": -1.5e-3}',
  'https://example.org/a?b=c&d=%20#e',
  'end.',
]

function claim(condition: boolean, message: string): asserts condition {
  if (!condition) throw new IftError('IFT_CONFORMANCE', message)
}

const quote = (text: string) => JSON.stringify(text)
const same = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  a.length === b.length && Array.from(a).every((value, i) => value === b[i])

function checkOffsets(text: string, { ids, offsets }: Encoding): void {
  claim(offsets.length === 2 * ids.length, `${quote(text)}: ${ids.length} ids and ${offsets.length} offsets.`)
  const covered = new Uint8Array(text.length)
  let previous = 0
  for (let i = 0; i < ids.length; i++) {
    const [start, end] = [offsets[2 * i]!, offsets[2 * i + 1]!]
    const at = `${quote(text)}: token ${i}`
    claim(start >= 0 && start <= end && end <= text.length, `${at} has the range ${start} … ${end}.`)
    claim(start >= previous, `${at} starts at ${start}, before the token in front of it (${previous}).`)
    previous = start
    for (const edge of [start, end])
      claim(
        !(edge > 0 && edge < text.length && text.codePointAt(edge - 1)! > 0xffff),
        `${at}: ${edge} is inside a surrogate pair; offsets are UTF-16 code units of whole characters.`,
      )
    covered.fill(1, start, end)
  }
  for (let at = 0; at < text.length; at++)
    claim(
      covered[at] === 1 || /\s/.test(text[at]!),
      `${quote(text)}: no token covers ${quote(text[at]!)} at ${at}.`,
    )
}

/**
 * Requirements of every tokenizer, as cases to run: `for (const { name, run } of tokenizerConformance(…)) test(name,
 * run)`.
 */
export function tokenizerConformance(
  name: string,
  open: () => Tokenizer | Promise<Tokenizer>,
  { golden = [], texts = [], decoded = (text) => text }: TokenizerConformanceOptions = {},
): ConformanceCase[] {
  const all = [...kitTexts, ...texts]
  const named = (what: string, run: (tokenizer: Tokenizer) => Promise<void>): ConformanceCase => ({
    name: `${name}: ${what}`,
    run: async () => run(await open()),
  })
  const lastOf = (tokenizer: Tokenizer) => [...tokenizer.specials.keys()].filter((text) => text.length > 1)

  return [
    named('ids equal the golden ones', async (tokenizer) => {
      for (const { text, ids } of golden) {
        const found = (await tokenizer.encode(text)).ids
        claim(same(found, ids), `${quote(text)}: expected ${ids.join(' ')}, found ${found.join(' ')}.`)
      }
    }),
    named('ids are in the vocabulary, and special ids have their text', async (tokenizer) => {
      for (const text of all)
        for (const id of (await tokenizer.encode(text)).ids) {
          claim(id >= 0 && id < tokenizer.vocabSize, `${quote(text)}: id ${id} of ${tokenizer.vocabSize}.`)
          claim(tokenizer.token(id) !== undefined, `${quote(text)}: id ${id} has no token.`)
        }
      for (const [text, id] of tokenizer.specials)
        claim(
          tokenizer.token(id) === text,
          `${quote(text)} is ${id}, which is ${String(tokenizer.token(id))}.`,
        )
      for (const id of [tokenizer.bosId, tokenizer.eosId])
        claim(
          id === null || [...tokenizer.specials.values()].includes(id),
          `id ${String(id)} is not special.`,
        )
    }),
    named('a batch gives what single texts give', async (tokenizer) => {
      const batch = await tokenizer.encodeBatch(all)
      claim(batch.length === all.length, `${all.length} texts, ${batch.length} encodings.`)
      for (const [i, text] of all.entries()) {
        const single = await tokenizer.encode(text)
        claim(same(batch[i]!.ids, single.ids), `${quote(text)}: the ids differ.`)
        claim(same(batch[i]!.offsets, single.offsets), `${quote(text)}: the offsets differ.`)
      }
    }),
    named('neither bos nor eos is added', async (tokenizer) => {
      claim((await tokenizer.encode('')).ids.length === 0, 'an empty text has tokens.')
      for (const options of [{}, { specials: true }])
        for (const id of (await tokenizer.encode('Hello', options)).ids)
          claim(id !== tokenizer.bosId && id !== tokenizer.eosId, `id ${id} was added to "Hello".`)
    }),
    named('decoding gives the text back', async (tokenizer) => {
      for (const text of all) {
        const expected = decoded(text)
        if (expected === null) continue
        const found = await tokenizer.decode((await tokenizer.encode(text)).ids)
        claim(found === expected, `expected ${quote(expected)}, found ${quote(found)}.`)
      }
    }),
    named('streaming gives what decoding at once gives, whole characters only', async (tokenizer) => {
      for (const text of all) {
        const { ids } = await tokenizer.encode(text)
        const whole = await tokenizer.decode(ids)
        const stream = tokenizer.decodeStream()
        const parts: string[] = []
        for (const id of ids) parts.push(await stream.push(id))
        parts.push(await stream.end())
        claim(parts.join('') === whole, `expected ${quote(whole)}, found ${quote(parts.join(''))}.`)
        if (whole.includes('\ufffd')) continue
        for (const part of parts) {
          claim(!part.includes('\ufffd'), `${quote(text)}: ${quote(part)} has a broken character.`)
          claim(
            part === '' || !/[\ud800-\udbff]$/.test(part),
            `${quote(text)}: ${quote(part)} ends inside a surrogate pair.`,
          )
        }
      }
    }),
    named('two streams at once do not disturb each other', async (tokenizer) => {
      const [a, b] = ['今天 😀 天气', 'Hello 世界']
      const ids = [(await tokenizer.encode(a)).ids, (await tokenizer.encode(b)).ids]
      const streams = [tokenizer.decodeStream(), tokenizer.decodeStream()]
      const found = ['', '']
      for (let i = 0; i < Math.max(ids[0]!.length, ids[1]!.length); i++)
        for (const which of [0, 1]) {
          const id = ids[which]![i]
          if (id !== undefined) found[which] = found[which]! + (await streams[which]!.push(id))
        }
      for (const which of [0, 1]) {
        found[which] = found[which]! + (await streams[which]!.end())
        const whole = await tokenizer.decode(ids[which]!)
        claim(found[which] === whole, `expected ${quote(whole)}, found ${quote(found[which])}.`)
      }
    }),
    named('offsets are in order and cover the text', async (tokenizer) => {
      for (const text of all) checkOffsets(text, await tokenizer.encode(text))
    }),
    named('text that looks like a special token is text', async (tokenizer) => {
      const special = new Set(tokenizer.specials.values())
      for (const looks of lastOf(tokenizer))
        for (const text of [
          looks,
          ` ${looks}`,
          `before ${looks}after`,
          `${looks}${looks}\n${looks}`,
          `😀${looks}`,
        ]) {
          const encoding = await tokenizer.encode(text)
          const [batch] = await tokenizer.encodeBatch([text])
          claim(same(batch!.ids, encoding.ids), `${quote(text)}: a batch differs.`)
          // Characters outside the vocabulary become the unknown token, which is special and harmless.
          const unknown = new Set((await tokenizer.encode('\u{e000} ☃ 𐍈')).ids)
          for (const id of encoding.ids)
            claim(
              !special.has(id) || unknown.has(id),
              `${quote(text)}: the text became the special token ${quote(tokenizer.token(id)!)}.`,
            )
          checkOffsets(text, encoding)
        }
    }),
    named('with `specials`, special tokens in the text become their ids', async (tokenizer) => {
      for (const looks of lastOf(tokenizer)) {
        const { ids } = await tokenizer.encode(`a${looks}b`, { specials: true })
        claim(ids.includes(tokenizer.specials.get(looks)!), `${quote(looks)} became ${ids.join(' ')}.`)
      }
    }),
    named('special tokens are left out of decoded text unless asked for', async (tokenizer) => {
      for (const [text, id] of tokenizer.specials) {
        claim((await tokenizer.decode([id])) === '', `${quote(text)} shows.`)
        const stream = tokenizer.decodeStream()
        const hidden = (await stream.push(id)) + (await stream.end())
        claim(hidden === '', `${quote(text)} shows in a stream.`)
        const shown = await tokenizer.decode([id], { specials: true })
        claim(
          shown.trim() === text.replaceAll('▁', ' ').trim(),
          `expected ${quote(text)}, found ${quote(shown)}.`,
        )
      }
    }),
    named('ids outside the vocabulary decode to nothing', async (tokenizer) => {
      claim(tokenizer.token(tokenizer.vocabSize) === undefined, 'there is a token at vocabSize.')
      claim((await tokenizer.decode([tokenizer.vocabSize + 5])) === '', 'an unknown id decodes to a text.')
    }),
    named('the fingerprint is stable', async (tokenizer) => {
      claim(tokenizer.fingerprint !== '', 'the fingerprint is empty.')
      const again = await open()
      claim(again.fingerprint === tokenizer.fingerprint, 'a second copy has another fingerprint.')
    }),
  ]
}

import { IftError } from '@ift/core'
import { Tokenizer as Binding } from 'tokenizers'
import { describe, expect, test } from 'vitest'
import { isolate } from '../byte-level.js'
import { Encoder } from '../encoder.js'
import { splits } from '../gguf-splits.js'
import { outerSpaces } from '../sentencepiece/convert.js'
import { addedToken, type ComponentJson, type TokenizerJson } from '../tokenizer-json.js'

// What is not refused here ends the process or takes hours, and this test with it.

const file = 'x/tokenizer.json'
const jsonOf = (parts: Partial<TokenizerJson>): TokenizerJson => ({
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [addedToken(0, '<unk>')],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  model: { type: 'WordLevel', vocab: { '<unk>': 0, a: 1 }, unk_token: '<unk>' },
  ...parts,
})
const splitting = (...patterns: string[]) =>
  new Encoder(
    jsonOf({ pre_tokenizer: { type: 'Sequence', pretokenizers: patterns.map(isolate) } }),
    file,
    false,
  )
const replacing = (pattern: object, content = ''): ComponentJson => ({ type: 'Replace', pattern, content })
const opened = (parts: Partial<TokenizerJson>) => new Encoder(jsonOf(parts), file, false)
const encode = async (encoder: Encoder, text: string) => (await encoder.encode([text]))[0]!.ids.length

function problem(open: () => unknown): IftError {
  try {
    open()
  } catch (error) {
    if (error instanceof IftError) return error
    throw error
  }
  throw new Error('it was opened')
}

describe('an expression that is refused when the file is opened', () => {
  test.each([
    ['a loop within a loop', '(a+)+b'],
    ['within a group of a name', '(?<name>a*)*b'],
    ['two ways through the same characters', '(?:a|a)*b'],
    ['ways that overlap', '(?:a|ab|b)*c'],
    ['optional ones in a row', '(a?){30}a{30}'],
    ['loops one behind the other', 'a*a*a*a*a*b'],
    ['in a lookahead', 'x(?=(?:a+)+b)'],
    ['in one alternative of several', '\\s+|(?:\\w+\\s?)+$|.'],
    ['a loop of a counted group', '(?:a{2})+*b'],
    ['that ignores case', '(?i)(?:a|A)*b'],
    ['reversed intervals', 'a{3000,0}a{3000,0}b'],
    ['a reversed interval of a group', '(?:a{2,1}){20,5}b'],
    ['a loop within a loop that is counted', '(?:(?:a+)+b){2}c'],
  ])('%s: %s', (_, pattern) => {
    const { code, message } = problem(() => splitting('\\s', pattern))
    expect(code).toBe('IFT_TOKENIZER_UNSUPPORTED')
    expect(message).toContain(
      `${file}: pre_tokenizer.pretokenizers[1].pattern.Regex: ${JSON.stringify(pattern)}`,
    )
    expect(message).toContain('may take more than 8000000 steps on 100 characters')
  })

  test.each(['(a)\\1', '(?<n>a)\\k<n>', '(?<n>a\\g<n>?)', '(?~ab)', '(?x: a b )', '(a)(?(1)b|c)', '\\R+x'])(
    'what it costs is not known: %s',
    (pattern) => {
      const { code, message } = problem(() => splitting(pattern))
      expect(code).toBe('IFT_TOKENIZER_UNSUPPORTED')
      expect(message).toMatch(/what .* costs is not known: it has /)
    },
  )

  test('also in a normaliser and in a decoder', () => {
    const bad = replacing({ Regex: '(a+)+b' })
    for (const [field, path] of [
      ['normalizer', 'normalizer.normalizers[1].pattern.Regex'],
      ['decoder', 'decoder.decoders[1].pattern.Regex'],
    ] as const) {
      const parts = field === 'normalizer' ? [{ type: 'NFC' }, bad] : [{ type: 'Fuse' }, bad]
      const open = () => opened({ [field]: { type: 'Sequence', [`${field}s`]: parts } })
      expect(problem(open).message).toContain(`${file}: ${path}: "(a+)+b" may take`)
    }
  })

  test('tokens of the vocabulary are texts for the expressions of a decoder', () => {
    const decoder = replacing({ Regex: 'a*(?!x)[^a]{2}' })
    const vocab = (count: number) => ({ '<unk>': 0, ['a'.repeat(count)]: 1 })
    const model = (count: number) => ({ type: 'WordLevel', vocab: vocab(count), unk_token: '<unk>' })
    opened({ decoder, model: model(10_000) })
    expect(problem(() => opened({ decoder, model: model(50_000) })).message).toContain(
      'a token has more than',
    )
  })

  test.each([
    ['Fuse', { type: 'Fuse' }],
    ['bytes', { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false }],
    ['a longer text', replacing({ String: ' ' }, ' '.repeat(1000))],
  ])('in a decoder behind %s, where its text is no token', (_, before) => {
    const behind = (pattern: string) => () =>
      opened({ decoder: { type: 'Sequence', decoders: [before, replacing({ Regex: pattern })] } })
    for (const pattern of ['\\s+$', '(?:b|a)*', ' {0,1000} {0,1000}x']) {
      const { code, message } = problem(behind(pattern))
      expect(code).toBe('IFT_TOKENIZER_UNSUPPORTED')
      expect(message).toContain(`${file}: decoder.decoders[1].pattern.Regex: ${JSON.stringify(pattern)} goes`)
    }
    for (const pattern of ['\\s+', '▁', ' ([.,])']) behind(pattern)()
  })

  test('added tokens are texts for the expressions of a decoder', () => {
    const decoder = replacing({ Regex: '\\s+$' })
    const added_tokens = [addedToken(0, '<unk>'), addedToken(1, `${' '.repeat(30_000)}x`)]
    const vocab = { '<unk>': 0, a: 2 }
    const model = { type: 'WordLevel', vocab, unk_token: '<unk>' }
    expect(problem(() => opened({ decoder, model, added_tokens })).message).toContain('a token has more than')
  })

  test('one that is longer than it may be', () => {
    expect(problem(() => splitting('a'.repeat(2 ** 20 + 1))).message).toContain(
      'expected at most 1048576 characters, found 1048577',
    )
  })

  test.each([
    ['normalizer', 'normalizers', replacing({ Regex: 'a'.repeat(2 ** 18) })],
    ['decoder', 'decoders', replacing({ Regex: 'a'.repeat(2 ** 18) })],
    ['pre_tokenizer', 'pretokenizers', isolate('a'.repeat(2 ** 18))],
  ])('many in a %s that are together longer than they may be', (field, list, part) => {
    const parts = Array.from({ length: 5 }, () => part)
    expect(problem(() => opened({ [field]: { type: 'Sequence', [list]: parts } })).message).toMatch(
      /\[4\]\.pattern\.Regex: expected at most 1048576 characters, found 1310720 with the expressions before it\.$/,
    )
  })
})

describe('a text that is refused', () => {
  const message =
    /^x\/tokenizer\.json: pre_tokenizer\.pretokenizers\[\d\]\.pattern\.Regex: a text has more than \d+ characters in a row/
  test.each([
    ['spaces of DeepSeek LLM', '\\s+$', ' ', 22_360],
    ['digits of SuperBPE', '(?=(\\d{3})+(?!\\d))', '1', 12_909],
    ['a lookahead at every place', '(?=.*x)a', 'b', 22_360],
    ['two loops', '[a-c]*d?[a-c]*[^a-c]{2}', 'b', 500],
  ])('%s', async (_, pattern, unit, most) => {
    const encoder = splitting(pattern)
    expect(await encode(encoder, unit.repeat(most - 1))).toBeGreaterThan(0)
    await expect(encode(encoder, `xy${unit.repeat(most + 1)}x`)).rejects.toMatchObject({
      code: 'IFT_TOKENIZER_FAILED',
      message: expect.stringMatching(message) as string,
    })
    // Runs that end.
    if (pattern !== '(?=.*x)a') await encode(encoder, `${unit.repeat(Math.floor(most / 2))}x-`.repeat(3))
  })

  test.each([
    ['a lookahead in each turn', '(?:(?!a{0,1000}b)a)*', 'a', 7_992],
    ['two of them', '(?:(?!b)(?!c)a)*', 'a', 3_980_099],
    ['an alternative in each turn', '(?:b|a)*', 'a', 7_920_792],
    ['three', '(?:b|c|d|a)*', 'a', 2_657_807],
    ['both', '(?:(?!b)(?!c)(?:d|a))*', 'a', 2_657_807],
    ['a loop that ends in each turn', '(?:a[bc]?[de]?f)*', 'af', 2_657_807],
    ['counted loops', 'a{0,1000}a{0,1000}[^a]{2}', 'a', 249],
    ['one in another', '(?:[ab]{1,300}c?){1}[ab]{1,30}d', 'b', 27_777],
    ['one whose turns are nearly fixed', 'a{20000,20001}b', 'a', 24_998],
    ['a reversed interval', 'a{20000,1}b', 'a', 25_000],
  ])('choices that are counted: %s', async (_, pattern, unit, most) => {
    const encoder = splitting(pattern)
    const of = (length: number) => unit.repeat(Math.floor(length / unit.length))
    expect(await encode(encoder, of(most / 8))).toBeGreaterThan(0)
    await expect(encode(encoder, of(most + 2))).rejects.toMatchObject({ code: 'IFT_TOKENIZER_FAILED' })
  })

  test('a normaliser makes the run', async () => {
    const of = (normalizer: ComponentJson) => opened({ normalizer, pre_tokenizer: isolate('\\s+$') })
    const many = { code: 'IFT_TOKENIZER_FAILED' }
    const text = `${'b'.repeat(40)}x`
    await expect(encode(of(replacing({ String: 'b' }, ' '.repeat(1000))), text)).rejects.toMatchObject(many)
    const twice = [replacing({ String: 'b' }, 'cc'), replacing({ Regex: 'c' }, ' '.repeat(1000))]
    await expect(encode(of({ type: 'Sequence', normalizers: twice }), text)).rejects.toMatchObject(many)
    expect(await encode(of(replacing({ String: 'b' }, ' ')), text)).toBeGreaterThan(0)
    const inside = [replacing({ String: 'b' }, ' '.repeat(1000)), replacing({ Regex: '\\s+$' }, '')]
    await expect(
      encode(opened({ normalizer: { type: 'Sequence', normalizers: inside } }), text),
    ).rejects.toMatchObject({ message: expect.stringContaining('normalizer.normalizers[1]') as string })
  })

  test('a pre-tokenizer before it writes spaces as letters', async () => {
    const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'never', split: false }
    const encoder = opened({
      pre_tokenizer: { type: 'Sequence', pretokenizers: [metaspace, isolate('▁+$')] },
    })
    await expect(encode(encoder, `${' '.repeat(40_000)}x`)).rejects.toMatchObject({
      code: 'IFT_TOKENIZER_FAILED',
    })
  })
})

describe('published expressions', () => {
  test.each(Object.entries(splits))('%s', async (_, { preTokenizer, normalizer = null }) => {
    const encoder = opened({ pre_tokenizer: preTokenizer, normalizer })
    const text = `It's 12345 WORDS, \n\n  and été 漢字 ${'x '.repeat(2000)}${'='.repeat(2000)}${' '.repeat(2000)}x`
    expect(await encode(encoder, text)).toBeGreaterThan(0)
  })

  test('a run of blanks or capitals that the library would end the process over', async () => {
    for (const [name, unit] of [
      ['llama3', ' '],
      ['gpt-4o', 'A'],
      ['exaone-moe', ' '],
      ['exaone-moe', 'A'],
    ] as const) {
      const encoder = opened({ pre_tokenizer: splits[name]!.preTokenizer })
      await expect(encode(encoder, unit.repeat(11_000_000))).rejects.toMatchObject({
        code: 'IFT_TOKENIZER_FAILED',
        message: expect.stringContaining('more than 8000000 characters in a row') as string,
      })
    }
    // As long, and not in a row.
    const qwen = opened({ pre_tokenizer: isolate(`\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`) })
    expect(await encode(qwen, `${' '.repeat(15_000)}x`.repeat(10))).toBeGreaterThan(0)
  })

  test('with line ends as characters, as DeepSeek writes them', async () => {
    const { preTokenizer } = splits['deepseek-v3']!
    const raw = JSON.stringify(preTokenizer).replaceAll('\\\\r\\\\n', '\\r\\n')
    expect(raw).not.toBe(JSON.stringify(preTokenizer))
    const encoder = opened({ pre_tokenizer: JSON.parse(raw) as ComponentJson })
    expect(await encode(encoder, `${' '.repeat(100_000)}x`)).toBeGreaterThan(0)
  })
})

test('spaces at both ends are found as before, in a time that grows with the text', () => {
  const normalizer = (pattern: string) =>
    Binding.fromString(JSON.stringify(jsonOf({ normalizer: replacing({ Regex: pattern }) }))).getNormalizer()!
  for (const [pattern, former] of [
    [outerSpaces.marked, '\\A +|[ ▁]+\\z'],
    [outerSpaces.plain, '\\A +| +\\z'],
  ] as const) {
    const [now, then] = [normalizer(pattern), normalizer(former)]
    for (let code = 0; code < 3 ** 6; code++) {
      const text = Array.from({ length: 6 }, (_, i) => ' ▁x'[Math.floor(code / 3 ** i) % 3]).join('')
      expect(now.normalizeString(text), JSON.stringify(text)).toBe(then.normalizeString(text))
    }
    const long = `x${' '.repeat(1_000_000)}x`
    expect(now.normalizeString(`${long} `)).toBe(long)
  }
})

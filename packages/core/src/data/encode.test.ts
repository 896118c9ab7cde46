import { describe, expect, test } from 'vitest'
import type { IftError } from '@ift/tensor'
import { wordTokenizer } from '../testing/tokenizer.js'
import { encodeExample, encodeExamples, encodePrompt, ignoredLabel, type EncodeOptions } from './encode.js'
import { DataRandom } from './random.js'
import { alpaca, builtinTemplates, chatml, createChatTemplate, llama2, plain } from './template/index.js'
import type { PromptTemplate } from '../contract/template.js'
import type { Example, InstructionExample, Sample } from '../contract/data.js'

const specials = ['<|im_start|>', '<|im_end|>', '<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>']
const options: EncodeOptions = { maxLength: 4096, trainOn: 'assistant', truncation: 'right' }
const tokenizers = (['none', 'every', 'first'] as const).map((prefixSpace) =>
  wordTokenizer({ specials, prefixSpace }),
)

async function sampleOf(
  example: Example,
  template = alpaca,
  tokenizer = tokenizers[0]!,
  changed: Partial<EncodeOptions> = {},
): Promise<Sample> {
  const encoded = await encodeExample(example, template, tokenizer, { ...options, ...changed })
  if ('dropped' in encoded) throw new Error(`dropped: ${encoded.dropped}`)
  return encoded.sample
}
const learned = ({ ids, labels }: Sample) => ids.filter((id, i) => labels[i] === id)

/** Texts with letters of one to four bytes, spaces and line ends. */
function randomText(random: DataRandom, length: number): string {
  const letters = ['a', 'the', ' ', '\n', 'é', '汉', '😀', '</s>', 'Response', '###', '.']
  return Array.from({ length: 1 + random.below(length) }, () => letters[random.below(letters.length)]!).join(
    '',
  )
}
function randomExample(random: DataRandom): Example {
  const text = () => randomText(random, 20)
  switch (random.below(3)) {
    case 0:
      return { instruction: text(), input: random.below(2) === 0 ? '' : text(), output: text() }
    case 1:
      return { instruction: text(), input: '', output: text(), system: text(), history: [[text(), text()]] }
    default:
      return {
        messages: Array.from({ length: 2 * (1 + random.below(3)) }, (_, i) => ({
          role: i % 2 === 0 ? ('user' as const) : ('assistant' as const),
          content: text(),
        })),
      }
  }
}

describe('borders of prompt and answer', () => {
  const asked: Example = { instruction: 'the 12', input: '', output: '34' }
  const pairs = builtinTemplates.find(({ name }) => name === 'completion')!
  test('a tokenizer that cannot begin an answer there is named with the place', async () => {
    // Every text is one token.
    const whole: (typeof tokenizers)[number] = {
      ...tokenizers[0]!,
      encodeBatch: (texts) =>
        Promise.resolve(
          texts.map((text) => ({
            ids: Int32Array.of(5 + text.length),
            offsets: Int32Array.of(0, text.length),
          })),
        ),
    }
    await expect(sampleOf(asked, pairs, whole)).rejects.toMatchObject({
      code: 'IFT_TEMPLATE_TOKEN',
      message: expect.stringContaining('"the 12" and "34"') as string,
    })
  })
  test('answers in one text with several borders', async () => {
    // No special token between the turns.
    const bare = createChatTemplate(
      wordTokenizer({
        chatTemplate:
          '{% for m in messages %}{{ m.role + ":" + m.content }}{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}',
      }),
    )
    const messages = ['a  ', '  the', 'the ', ' a', 'x', '\n\nthe'].map((content, i) => ({
      role: i % 2 === 0 ? ('user' as const) : ('assistant' as const),
      content,
    }))
    for (const tokenizer of tokenizers) {
      const sample = await sampleOf({ messages }, bare, tokenizer)
      const prompt = await encodePrompt({ messages: messages.slice(0, -1) }, bare, tokenizer)
      expect([...sample.ids.subarray(0, prompt.length)]).toEqual([...prompt])
      expect(sample.labels.subarray(prompt.length).every((label) => label !== ignoredLabel)).toBe(true)
    }
  })
})

test('what a template writes around many answers is tokenised once', async () => {
  const random = new DataRandom('together', 1)
  const examples = Array.from({ length: 20 }, () => randomExample(random))
  const all = [...examples, ...examples]
  const own = tokenizers[0]!
  const given: string[] = []
  const tokenizer: typeof own = {
    ...own,
    encodeBatch: (texts, settings) => {
      given.push(...texts)
      return own.encodeBatch(texts, settings)
    },
  }
  const together = await encodeExamples(all, chatml, tokenizer, options)
  expect(given.length).toBeGreaterThan(examples.length)
  expect(new Set(given).size).toBe(given.length)
  for (const [i, example] of all.entries())
    expect(together[i]).toEqual(await encodeExample(example, chatml, own, options))
})

describe('labels', () => {
  test('cover exactly the trained characters, for every template and tokenizer', async () => {
    const random = new DataRandom('labels', 1)
    for (let round = 0; round < 150; round++) {
      const example = randomExample(random) as InstructionExample
      const template = builtinTemplates[random.below(builtinTemplates.length)]!
      const tokenizer = tokenizers[random.below(3)]!
      const trainOn = (['assistant', 'last', 'all'] as const)[random.below(3)]!
      const sample = await sampleOf(example, template, tokenizer, { trainOn })
      const segments = template.render(example, trainOn)
      const specialText = (name: string) => (name === 'bos' ? '<s>' : name === 'eos' ? '</s>' : name)
      const expected = segments
        .filter(({ trained }) => trained)
        .map(({ text, special }) => (special ? specialText(text) : text))
        .join('')
      // Words may begin in one segment and end in the next; then their text belongs to the first.
      const text = await tokenizer.decode(learned(sample), { specials: true })
      const unpadded = (value: string) => value.replaceAll(' ', '')
      expect(unpadded(text)).toBe(unpadded(expected))
      expect(sample.labels.every((label, i) => label === ignoredLabel || label === sample.ids[i])).toBe(true)
    }
  })
  test('the end token goes in as its id and is learned, once', async () => {
    const sample = await sampleOf({ instruction: 'say </s>', input: '', output: 'not </s> me' })
    expect(sample.ids.filter((id) => id === 1)).toHaveLength(1)
    expect(sample.ids.at(-1)).toBe(1)
    expect(sample.labels.at(-1)).toBe(1)
  })
  test('half a character becomes U+FFFD', async () => {
    const { ids } = await sampleOf({ instruction: 'q', input: '', output: 'a\ud83db' }, plain)
    expect(await tokenizers[0]!.decode(ids)).toBe('q\na\ufffdb')
  })
  test('a document is learned whole', async () => {
    const sample = await sampleOf({ text: 'the task' })
    expect(Array.from(sample.labels)).toEqual([ignoredLabel, ...sample.ids.slice(1)])
    expect(sample.ids.at(-1)).toBe(1)
  })
})

describe('bos', () => {
  const count = (sample: Sample) => sample.ids.filter((id) => id === 0).length
  const example = { instruction: 'Q', input: '', output: 'A' }
  test('stands in front once, whoever writes it', async () => {
    for (const template of [alpaca, chatml, llama2]) {
      const sample = await sampleOf(example, template)
      expect(sample.ids[0]).toBe(0)
      expect(count(sample)).toBe(1)
    }
    const tokenizer = wordTokenizer({
      chatTemplate: '{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}',
    })
    expect(count(await sampleOf(example, createChatTemplate(tokenizer), tokenizer))).toBe(1)
    expect(await encodePrompt(example, createChatTemplate(tokenizer), tokenizer)).toSatisfy(
      (ids: Int32Array) => ids[0] === 0 && ids[1] !== 0,
    )
  })
  test('stays away when the tokenizer wants none', async () => {
    expect(count(await sampleOf(example, alpaca, wordTokenizer({ addBos: false })))).toBe(0)
  })
})

describe('prompts', () => {
  test('have the ids that training begins with', async () => {
    const random = new DataRandom('prompts', 2)
    for (let round = 0; round < 120; round++) {
      const example = { instruction: randomText(random, 20), input: '', output: `x${randomText(random, 9)}` }
      for (const template of builtinTemplates)
        for (const tokenizer of tokenizers) {
          const { ids, labels } = await sampleOf(example, template, tokenizer)
          const prompt = await encodePrompt({ ...example, output: '' }, template, tokenizer)
          expect(Array.from(ids.subarray(0, prompt.length))).toEqual(Array.from(prompt))
          expect(labels.findIndex((label) => label !== ignoredLabel)).toBe(prompt.length)
        }
    }
  })
  test('SentencePiece: a run behind a special token is tokenised as inside the whole text', async () => {
    for (const tokenizer of tokenizers) {
      const { ids } = await sampleOf(
        { instruction: 'the task', input: '', output: 'the response' },
        chatml,
        tokenizer,
      )
      const whole = await tokenizer.encode(
        '<s><|im_start|>user\nthe task<|im_end|>\n<|im_start|>assistant\nthe response<|im_end|>',
        { specials: true },
      )
      expect(Array.from(ids)).toEqual(Array.from(whole.ids))
    }
  })
})

describe('samples that are too long', () => {
  const example = { instruction: 'Q', input: '', output: 'abcdefghij' }
  const two = {
    messages: [
      { role: 'user', content: 'q1' },
      { role: 'assistant', content: 'a1' },
      { role: 'user', content: 'qqqqqqqqqqqqqqqqqqqq' },
      { role: 'assistant', content: 'a2' },
    ],
  } as const
  const encode = (e: Example, changed: Partial<EncodeOptions>, template = plain) =>
    encodeExample(e, template, tokenizers[0]!, { ...options, ...changed })

  test('right: the answer is cut and the end token stays', async () => {
    // <s> Q \n a b c … j </s>: 14 tokens
    const encoded = await encode(example, { maxLength: 8 })
    expect(encoded).toMatchObject({ cut: 6 })
    const { ids, labels } = (encoded as { sample: Sample }).sample
    expect(await tokenizers[0]!.decode(ids, { specials: true })).toBe('<s>Q\nabcd</s>')
    expect(labels.at(-1)).toBe(1)
    expect(await encode(example, { maxLength: 14 })).toMatchObject({ cut: 0 })
    expect(await encode(example, { maxLength: 3 })).toEqual({ dropped: 'long' })
  })
  test('right: a turn of the user that would end the text is left out', async () => {
    const { ids } = ((await encode(two, { maxLength: 15 })) as { sample: Sample }).sample
    expect(await tokenizers[0]!.decode(ids, { specials: true })).toBe('<s>q1\na1</s>')
  })
  test('left: the prompt loses its start, an answer never', async () => {
    const long = { instruction: 'qqqqqqqqqqqqqqqqqqqq', input: '', output: 'abc' }
    const { ids, labels } = (
      (await encode(long, { maxLength: 10, truncation: 'left' })) as { sample: Sample }
    ).sample
    expect(await tokenizers[0]!.decode(ids, { specials: true })).toBe('<s>qqqq\nabc</s>')
    expect(labels.filter((label) => label !== ignoredLabel)).toHaveLength(4)
    // The first answer would lose its beginning: it goes whole.
    const later = ((await encode(two, { maxLength: 28, truncation: 'left' })) as { sample: Sample }).sample
    expect(await tokenizers[0]!.decode(later.ids, { specials: true })).toBe(
      '<s>\nqqqqqqqqqqqqqqqqqqqq\na2</s>',
    )
    expect(await encode(example, { maxLength: 6, truncation: 'left' })).toEqual({ dropped: 'long' })
  })
  test('drop', async () => {
    expect(await encode(example, { maxLength: 13, truncation: 'drop' })).toEqual({ dropped: 'long' })
    expect(await encode(example, { maxLength: 14, truncation: 'drop' })).toMatchObject({ cut: 0 })
  })
  test('nothing to learn', async () => {
    expect(await encode({ messages: [{ role: 'user', content: 'q' }] }, {})).toEqual({ dropped: 'untrained' })
    expect(await encode({ ids: [5, 6], labels: [5, -100] }, {})).toEqual({ dropped: 'untrained' })
  })
  test('whatever is kept fits, ends an answer with its end token, and learns something', async () => {
    const random = new DataRandom('fit', 3)
    let kept = 0
    for (let round = 0; round < 400; round++) {
      const truncation = (['right', 'left', 'drop'] as const)[random.below(3)]!
      const maxLength = 4 + random.below(300)
      const template = builtinTemplates[random.below(builtinTemplates.length)]!
      const encoded = await encodeExample(randomExample(random), template, tokenizers[0]!, {
        maxLength,
        truncation,
        trainOn: 'assistant',
      })
      if ('dropped' in encoded) continue
      kept++
      const { ids, labels } = encoded.sample
      expect(ids.length).toBeLessThanOrEqual(maxLength)
      expect([1, ...tokenizers[0]!.specials.values()]).toContain(ids.at(-1))
      expect(labels.at(-1)).toBe(ids.at(-1))
    }
    expect(kept).toBeGreaterThan(100)
  })
})

describe('ids made elsewhere', () => {
  const reject = async (example: Example): Promise<string> => {
    try {
      await encodeExample(example, plain, tokenizers[0]!, options)
    } catch (error) {
      return (error as IftError).message
    }
    throw new Error('no error')
  }
  test('pass through, and are checked', async () => {
    const sample = await sampleOf({ ids: [0, 9, 8], labels: [-100, -100, 8] })
    expect(sample).toEqual({ ids: Int32Array.of(0, 9, 8), labels: Int32Array.of(-100, -100, 8) })
    expect(await reject({ ids: [0, 99999] })).toContain('ids[1]: expected an id below')
    expect(await reject({ ids: [0, 9], labels: [-100, 8] })).toContain('labels[1]: expected -100 or the id')
  })
})

test('a template that needs a token the tokenizer lacks says so', async () => {
  await expect(
    encodeExample({ instruction: 'a', input: '', output: 'b' }, chatml, wordTokenizer(), options),
  ).rejects.toMatchObject({
    code: 'IFT_TEMPLATE_TOKEN',
    message: expect.stringContaining('<|im_start|>') as string,
  })
})

test('a batch gives what single examples give', async () => {
  const random = new DataRandom('batch', 4)
  const examples = Array.from({ length: 40 }, () => randomExample(random))
  const batch = await encodeExamples(examples, chatml, tokenizers[2]!, options)
  for (const [i, example] of examples.entries())
    expect(batch[i]).toEqual(await encodeExample(example, chatml, tokenizers[2]!, options))
})

test('special tokens take the white space beside them, also across segments and where nothing else stands', async () => {
  const tokenizer = wordTokenizer({ specials })
  const strips = new Map([
    ['<|im_start|>', { left: false, right: true }],
    ['<|im_end|>', { left: true, right: false }],
  ])
  const template = (...texts: string[]): PromptTemplate => {
    const segments = texts.map((text) => ({
      role: 'template' as const,
      text,
      trained: false,
      special: specials.includes(text),
    }))
    return { name: 'test', render: () => segments, prompt: () => segments, stop: [] }
  }
  const ids = async (stripping: boolean, ...texts: string[]) => {
    const asked = { instruction: 'x', input: '', output: '' }
    const used = stripping ? { ...tokenizer, strips } : tokenizer
    return [...(await encodePrompt(asked, template(...texts), used))]
  }
  const [start, end] = ['<|im_start|>', '<|im_end|>']
  expect(await ids(true, start, '\n', ' \u3000', 'the task', ' \n', end)).toEqual(
    await ids(false, start, 'the task', end),
  )
  expect(await ids(true, start, ' \n', end, '\n', start, 'a')).toEqual(
    await ids(false, start, end, '\n', start, 'a'),
  )
  expect(await ids(true, 'a ', start, ' b', ' \n', end, ' c')).toEqual(
    await ids(false, 'a ', start, 'b', end, ' c'),
  )
})

import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  builtinTemplates,
  encodeExample,
  encodePrompt,
  type MessagesExample,
  type ModelDefinition,
  type PromptTemplate,
  type Tokenizer,
} from '@ift/core'
import { tokenizerConformance } from '@ift/core/testing'
import { loadTokenizer } from '@ift/tokenizers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chatglm, chatglm1, chatglm2, chatglm3, chatglmTokenizer, glm, glm4 } from './index.js'

interface Chat {
  readonly system?: string
  readonly tools?: unknown
  readonly rounds?: readonly (readonly [string, string])[]
  readonly prompt: readonly number[]
  readonly answer?: readonly number[]
}
interface Golden {
  readonly cases: readonly {
    readonly text: string
    readonly ids: readonly number[]
    readonly decoded: string
  }[]
  readonly special?: Readonly<Record<string, number>>
  readonly frame: { readonly before: readonly number[]; readonly after: readonly number[] }
  readonly chats: readonly Chat[]
}

const root = fileURLToPath(new URL('../../../fixtures/chat', import.meta.url))
const goldenOf = async (name: string) =>
  JSON.parse(await readFile(join(root, name, 'golden.json'), 'utf8')) as Golden

let work: string
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'ift-chatglm-'))
})
afterAll(() => rm(work, { recursive: true, force: true }))

/** Messages of a golden chat; one with tools calls the first of them. */
function messagesOf({ system, tools, rounds }: Chat): MessagesExample {
  const messages: MessagesExample['messages'][number][] = system ? [{ role: 'system', content: system }] : []
  if (tools !== undefined) {
    const args = { city: 'Beijing', days: 2, exact: true }
    messages.push(
      { role: 'user', content: '今天的天气' },
      { role: 'assistant', content: '', toolCalls: [{ function: { name: 'weather', arguments: args } }] },
      { role: 'tool', content: '{"sky": "blue"}' },
    )
    return { messages, tools }
  }
  for (const [question, answer] of rounds!)
    messages.push({ role: 'user', content: question }, { role: 'assistant', content: answer })
  return { messages }
}

const folders: readonly [string, PromptTemplate, json: Record<string, unknown>][] = [
  ['chatglm1', chatglm1, { position_encoding_2d: true }],
  ['chatglm1-images', chatglm1, { position_encoding_2d: true }],
  ['chatglm2', chatglm2, {}],
  ['chatglm3', chatglm3, {}],
  ['glm4', glm4, {}],
  ['glm4-hf', glm4, {}],
]

describe.each(folders)('%s', (name, template, json) => {
  const dir = join(root, name)
  let tokenizer: Tokenizer
  let golden: Golden
  // transformers' form of GLM-4 has a tokenizer.json, which needs no reader of the family's own.
  const own = name !== 'glm4-hf'
  const definition: ModelDefinition = own ? chatglm : glm
  const load = () => (own ? chatglmTokenizer.load(dir) : loadTokenizer(dir))
  beforeAll(async () => {
    expect(await chatglmTokenizer.detect(dir)).toBe(own)
    tokenizer = await load()
    golden = await goldenOf(name)
  })

  test('ids and texts are those of the code that the family is published with', async () => {
    for (const { text, ids, decoded } of golden.cases) {
      expect([...(await tokenizer.encode(text)).ids], JSON.stringify(text)).toEqual(ids)
      expect(await tokenizer.decode(ids), JSON.stringify(text)).toBe(decoded)
      const stream = tokenizer.decodeStream()
      let streamed = ''
      for (const id of ids) streamed += await stream.push(id)
      expect(streamed + (await stream.end()), JSON.stringify(text)).toBe(decoded)
    }
  })

  test('special tokens have their ids, and text never becomes one', async () => {
    for (const [text, id] of Object.entries(golden.special ?? {})) {
      expect(tokenizer.specials.get(text)).toBe(id)
      expect([...(await tokenizer.encode(text)).ids]).not.toContain(id)
    }
    expect(tokenizer.frame).toEqual(golden.frame)
    expect([tokenizer.addBos, tokenizer.addEos]).toEqual([false, false])
  })

  test('chats have the ids that the family puts together, and end as it does', async () => {
    const found = definition.templateOf?.({ json, generation: {}, tokenizer, names: [] })
    expect(found ?? definition.template).toBe(template.name)
    for (const chat of golden.chats) {
      const example = messagesOf(chat)
      const asked = chat.answer ? { ...example, messages: example.messages.slice(0, -1) } : example
      expect([...(await encodePrompt(asked, template, tokenizer))]).toEqual(chat.prompt)
      if (!chat.answer) continue
      const options = { maxLength: 4096, trainOn: 'last', truncation: 'drop' } as const
      const encoded = await encodeExample(example, template, tokenizer, options)
      if (!('sample' in encoded)) throw new Error('dropped')
      expect([...encoded.sample.ids]).toEqual([...chat.prompt, ...chat.answer])
      expect([...encoded.sample.labels]).toEqual([...chat.prompt.map(() => -100), ...chat.answer])
    }
  })

  test('saved and loaded again it is the same', async () => {
    const folder = join(work, name)
    await tokenizer.save(folder)
    const again = (await chatglmTokenizer.detect(folder))
      ? await chatglmTokenizer.load(folder)
      : await loadTokenizer(folder)
    expect(again.fingerprint).toBe(tokenizer.fingerprint)
    for (const field of ['vocabSize', 'bosId', 'eosId', 'addBos', 'addEos', 'specials', 'frame'] as const)
      expect(again[field], field).toEqual(tokenizer[field])
    for (const { text, ids } of golden.cases) expect([...(await again.encode(text)).ids]).toEqual(ids)
  })

  for (const { name: what, run } of tokenizerConformance(name, load, {
    decoded: (text) => (name === 'chatglm1-images' ? null : text),
  }))
    test(what, run)
})

test('a template that knows nothing of GLM gets its tokens: the answer follows [gMASK] <sop> in the first version', async () => {
  const alpaca = builtinTemplates.find(({ name }) => name === 'alpaca')!
  const record = { instruction: 'the teacher', input: '', output: 'counts' }
  const options = { maxLength: 4096, trainOn: 'assistant', truncation: 'drop' } as const
  for (const [name, before, after] of [
    ['chatglm1', [], ['[gMASK]', '<sop>']],
    ['chatglm3', ['[gMASK]', 'sop'], []],
  ] as const) {
    const tokenizer = await chatglmTokenizer.load(join(root, name))
    const ids = (names: readonly string[]) => names.map((text) => tokenizer.specials.get(text)!)
    const prompt = [...(await encodePrompt(record, alpaca, tokenizer))]
    expect(prompt.slice(0, before.length)).toEqual(ids(before))
    if (after.length > 0) expect(prompt.slice(-after.length)).toEqual(ids(after))
    const encoded = await encodeExample(record, alpaca, tokenizer, options)
    if (!('sample' in encoded)) throw new Error('dropped')
    const { sample } = encoded
    expect([...sample.ids.slice(0, prompt.length)]).toEqual(prompt)
    const learned = [...sample.labels].findIndex((label) => label !== -100)
    expect(learned).toBe(prompt.length)
    expect(await tokenizer.decode(sample.ids.slice(prompt.length))).toBe('counts ')
    expect(sample.ids.at(-1)).toBe(tokenizer.eosId)
  }
})

test('a text cut from the left keeps what stands before a prompt', async () => {
  const tokenizer = await chatglmTokenizer.load(join(root, 'chatglm3'))
  const record = { instruction: 'the teacher counts '.repeat(20), input: '', output: 'three' }
  const options = { maxLength: 40, trainOn: 'assistant', truncation: 'left' } as const
  const encoded = await encodeExample(record, chatglm3, tokenizer, options)
  if (!('sample' in encoded)) throw new Error('dropped')
  const { ids, labels } = encoded.sample
  expect(ids).toHaveLength(40)
  expect([...ids.slice(0, 2)]).toEqual(tokenizer.frame!.before)
  expect(labels.at(-1)).toBe(tokenizer.eosId)
  expect(encoded.cut).toBeGreaterThan(0)
})

test('folders of other families, and of GLM with a tokenizer.json, are left to their readers', async () => {
  expect(await chatglmTokenizer.detect(join(root, 'baichuan'))).toBe(false)
  const folder = join(work, 'converted')
  await cp(join(root, 'chatglm3'), folder, { recursive: true })
  expect(await chatglmTokenizer.detect(folder)).toBe(true)
  await writeFile(join(folder, 'tokenizer.json'), '{}')
  expect(await chatglmTokenizer.detect(folder)).toBe(false)
})

test('damaged files are refused by name', async () => {
  const folder = join(work, 'damaged')
  await cp(join(root, 'glm4'), folder, { recursive: true })
  const model = join(folder, 'tokenizer.model')
  const lines = (await readFile(model, 'utf8')).split('\n')
  await writeFile(model, lines.with(7, 'not base64').join('\n'))
  await expect(chatglmTokenizer.load(folder)).rejects.toThrow(
    /tokenizer\.model: line 8: expected a token in base64/,
  )
  await writeFile(model, lines.toSpliced(7, 1).join('\n'))
  await expect(chatglmTokenizer.load(folder)).rejects.toThrow(/line 8: expected the rank 7, found 8/)
  const first = join(work, 'first')
  await cp(join(root, 'chatglm1'), first, { recursive: true })
  await writeFile(join(first, 'ice_text.model'), await readFile(join(root, 'chatglm3', 'tokenizer.model')))
  await expect(chatglmTokenizer.load(first)).rejects.toThrow(/there is no \[gMASK\]/)
  await cp(join(root, 'chatglm1', 'ice_text.model'), join(first, 'ice_text.model'))
  await writeFile(join(first, 'tokenizer_config.json'), '{"num_image_tokens": -1}')
  await expect(chatglmTokenizer.load(first)).rejects.toThrow(/num_image_tokens: expected 0 or more, found -1/)
})

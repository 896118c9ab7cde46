import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  builtinTemplates,
  createChatTemplate,
  encodeExample,
  encodePrompt,
  type MessagesExample,
  type ModelDefinition,
  type PromptTemplate,
  type Tokenizer,
} from '@ift/core'
import { baichuan, baichuan2Chat, baichuanChat } from '@ift/model-baichuan'
import { internlm, internlm2, internlmChat } from '@ift/model-internlm'
import { metaInstruction, moss, mossTemplate } from '@ift/model-moss'
import { loadTokenizer } from '@ift/tokenizers'

interface Chat {
  readonly system?: string
  readonly rounds?: readonly (readonly [string, string])[]
  readonly prompt: readonly number[]
  readonly answer?: readonly number[]
}
interface Golden {
  readonly special?: Readonly<Record<string, number>>
  readonly chats: readonly Chat[]
}

const root = fileURLToPath(new URL('../../fixtures/chat', import.meta.url))
const jsonOf = (path: string) =>
  JSON.parse(readFileSync(`${root}/${path}`, 'utf8')) as Record<string, unknown>

function messagesOf({ system, rounds }: Chat): MessagesExample {
  const messages: MessagesExample['messages'][number][] = system ? [{ role: 'system', content: system }] : []
  // A chat without rounds is the one that uses a plugin.
  if (!rounds)
    return {
      messages: [
        ...messages,
        { role: 'user', content: 'the teacher counts' },
        {
          role: 'assistant',
          content: 'count',
          toolCalls: [{ name: 'Calculate', arguments: { expression: '1+2' } }],
        },
        { role: 'tool', content: 'Calculate("1+2") => 3' },
      ],
    }
  for (const [question, answer] of rounds)
    messages.push({ role: 'user', content: question }, { role: 'assistant', content: answer })
  return { messages }
}

const chatml = builtinTemplates.find(({ name }) => name === 'chatml')!
const families: readonly [string, ModelDefinition, PromptTemplate, names: readonly string[]][] = [
  ['internlm', internlm, internlmChat, ['internlm/internlm-chat-7b']],
  ['internlm2', internlm2, chatml, ['internlm/internlm2-chat-7b']],
  ['baichuan', baichuan, baichuanChat, []],
  ['baichuan2', baichuan, baichuan2Chat, []],
  ['moss', moss, mossTemplate, []],
]

describe.each(families)('%s', (name, definition, template, names) => {
  let tokenizer: Tokenizer
  const golden = jsonOf(`${name}/golden.json`) as unknown as Golden
  beforeAll(async () => {
    tokenizer = await loadTokenizer(`${root}/${name}`)
  })

  test('the template is found from the checkpoint', () => {
    const generation = name.startsWith('baichuan') ? jsonOf(`${name}/generation_config.json`) : {}
    expect(definition.templateOf!({ json: {}, generation, tokenizer, names })).toBe(template.name)
    expect(template.stop.every((text) => tokenizer.specials.has(text))).toBe(true)
    const base = definition.templateOf!({ json: {}, generation: {}, tokenizer, names: ['a-base-model'] })
    expect(base).toBe(name === 'moss' ? 'moss' : 'alpaca')
  })

  test('text never becomes a token that ends a turn', async () => {
    for (const [text, id] of Object.entries(golden.special ?? {})) {
      expect(tokenizer.specials.get(text)).toBe(id)
      expect([...(await tokenizer.encode(text)).ids]).not.toContain(id)
    }
  })

  test('chats have the ids that the family puts together, and end as it does', async () => {
    for (const chat of golden.chats) {
      const example = messagesOf(chat)
      const asked = chat.answer ? { messages: example.messages.slice(0, -1) } : example
      expect([...(await encodePrompt(asked, template, tokenizer))]).toEqual(chat.prompt)
      if (!chat.answer) continue
      const options = { maxLength: 4096, trainOn: 'last', truncation: 'drop' } as const
      const encoded = await encodeExample(example, template, tokenizer, options)
      if (!('sample' in encoded)) throw new Error('dropped')
      const { ids, labels } = encoded.sample
      expect([...ids]).toEqual([...chat.prompt, ...chat.answer])
      expect([...labels]).toEqual([...chat.prompt.map(() => -100), ...chat.answer])
    }
  })
})

describe.each([
  [
    'gemma',
    '<end_of_turn>',
    '<bos><start_of_turn>user\nHello<end_of_turn>\n<start_of_turn>model\nhi  there<end_of_turn>\n<start_of_turn>user\n12 三<end_of_turn>\n<start_of_turn>model\n',
  ],
  [
    'phi',
    '<|end|>',
    '<|user|>\nHello<|end|>\n<|assistant|>\nhi  there<|end|>\n<|user|>\n12 三<|end|>\n<|assistant|>\n',
  ],
  [
    'qwen',
    '<|im_end|>',
    '<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nhi  there<|im_end|>\n<|im_start|>user\n12 三<|im_end|>\n<|im_start|>assistant\n',
  ],
] as const)('%s', (name, end, conversation) => {
  const folder = fileURLToPath(new URL(`../../fixtures/family-tokenizers/${name}`, import.meta.url))
  const { chats } = JSON.parse(readFileSync(`${folder}/golden.json`, 'utf8')) as {
    chats: readonly { readonly ids: readonly number[] }[]
  }
  const open = async () => {
    const tokenizer = await loadTokenizer(folder)
    return { tokenizer, template: name === 'qwen' ? chatml : createChatTemplate(tokenizer) }
  }

  test('a question has the ids of the reference, an answer its end, and nothing else is learned', async () => {
    const { tokenizer, template } = await open()
    const asked = { messages: [{ role: 'user', content: 'Hello' }] } as const
    const prompt = [...(tokenizer.addBos ? [tokenizer.bosId!] : []), ...chats[0]!.ids]
    expect([...(await encodePrompt(asked, template, tokenizer))]).toEqual(prompt)
    const answered = { messages: [...asked.messages, { role: 'assistant', content: 'hi there' }] } as const
    const options = { maxLength: 256, trainOn: 'assistant', truncation: 'drop' } as const
    const encoded = await encodeExample(answered, template, tokenizer, options)
    if (!('sample' in encoded)) throw new Error('dropped')
    const { ids, labels } = encoded.sample
    expect([...ids.slice(0, prompt.length)]).toEqual(prompt)
    const learned = [...labels].filter((label) => label !== -100)
    expect(labels.findIndex((label) => label !== -100)).toBe(prompt.length)
    expect(learned.at(-1)).toBe(tokenizer.specials.get(end))
    expect((await tokenizer.decode(learned.slice(0, -1))).trim()).toBe('hi there')
  })

  test('several rounds have the ids of the whole text', async () => {
    const { tokenizer, template } = await open()
    const messages = [
      { role: 'user', content: 'Hello' },
      { role: 'assistant', content: 'hi  there' },
      { role: 'user', content: '12 三' },
    ] as const
    const { ids } = await tokenizer.encode(conversation, { specials: true })
    expect([...(await encodePrompt({ messages }, template, tokenizer))]).toEqual([...ids])
  })
})

const textOf = (template: PromptTemplate, example: MessagesExample, prompt = false) =>
  (prompt ? template.prompt(example) : template.render(example, 'assistant'))
    .map(({ text, special }) => (special ? `{${text}}` : text))
    .join('')

test('MOSS says what it thinks and commands when there are plugins', () => {
  const asked = { messages: [{ role: 'user', content: 'Q' }], tools: [{ name: 'Solve' }] } as const
  const meta = `${metaInstruction}- Inner thoughts: enabled.\n- Web search: disabled.\n- Calculator: disabled.\n- Equation solver: enabled. API: Solve(equation)\n- Text-to-image: disabled.\n- Image edition: disabled.\n- Text-to-speech: disabled.\n`
  expect(textOf(mossTemplate, asked, true)).toBe(`${meta}<|Human|>: Q{<eoh>}\n<|Inner Thoughts|>:`)
  const answered = { ...asked, messages: [...asked.messages, { role: 'assistant', content: 'A' }] } as const
  expect(textOf(mossTemplate, answered)).toBe(
    `${meta}<|Human|>: Q{<eoh>}\n<|Inner Thoughts|>: None{<eot>}\n<|Commands|>: None{<eoc>}\n<|Results|>:\nNone\n{<eor>}\n<|MOSS|>: A{<eom>}`,
  )
  expect(textOf(mossTemplate, { messages: [{ role: 'user', content: 'Q' }] }, true)).toBe(
    `${metaInstruction}<|Human|>: Q{<eoh>}\n<|MOSS|>:`,
  )
})

test('what a plugin returned is not learned, what the model says and commands is', () => {
  const example: MessagesExample = {
    messages: [
      { role: 'user', content: 'Q' },
      { role: 'assistant', content: 'T', toolCalls: [{ name: 'Search', arguments: '{"query": "x"}' }] },
      { role: 'tool', content: 'R' },
      { role: 'assistant', content: 'A' },
    ],
  }
  const learned = mossTemplate.render(example, 'assistant').filter(({ trained }) => trained)
  expect(learned.map(({ text }) => text).join('')).toBe(' T<eot>\n<|Commands|>: Search("x")<eoc> A<eom>')
})

test('InternLM2 chats in ChatML', () => {
  const tokenizer = { specials: new Map([['<|im_end|>', 3]]) } as unknown as Tokenizer
  const facts = { json: {}, generation: {}, tokenizer }
  expect(internlm2.templateOf!({ ...facts, names: ['internlm2-chat-7b'] })).toBe('chatml')
  expect(internlm2.templateOf!({ ...facts, names: ['internlm2-7b'] })).toBe('alpaca')
})

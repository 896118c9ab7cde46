import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import {
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

const root = fileURLToPath(new URL('../fixtures/chat', import.meta.url))
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

const families: readonly [string, ModelDefinition, PromptTemplate, names: readonly string[]][] = [
  ['internlm', internlm, internlmChat, ['internlm/internlm-chat-7b']],
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

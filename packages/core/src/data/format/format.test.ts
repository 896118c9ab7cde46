import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { IftError } from '@ift/tensor'
import { shared, sharedMissing } from '../../testing/shared.fixture.js'
import { readExamples } from '../build.js'
import type { Example } from '../../contract/data.js'
import { recordConverter, sniffFormat, type FormatOptions } from './index.js'

const convert = (record: Record<string, unknown>, options?: FormatOptions): Example =>
  recordConverter(options)({ record, where: 'f.json:7' })
const problem = (record: Record<string, unknown>, options?: FormatOptions): IftError => {
  try {
    convert(record, options)
  } catch (error) {
    return error as IftError
  }
  throw new Error('no error')
}

describe('records to be answered', () => {
  test('need no output when that is asked for', () => {
    const record = { instruction: 'q', kind: 'k' }
    expect(convert(record, { unanswered: true })).toEqual({ instruction: 'q', input: '', output: '' })
    expect(convert({ prompt: 'q' }, { unanswered: true })).toEqual({
      instruction: 'q',
      input: '',
      output: '',
    })
    expect(problem(record).code).toBe('IFT_DATA_FORMAT')
  })

  test('keep their own form and output when they have them', () => {
    expect(convert({ question: 'q', answer: 'a' }, { unanswered: true })).toMatchObject({ output: 'a' })
    expect(convert({ text: 't' }, { unanswered: true })).toEqual({ text: 't' })
    expect(problem({ kind: 'k' }, { unanswered: true }).code).toBe('IFT_DATA_FORMAT')
  })
})

describe('forms', () => {
  const plain = { instruction: 'q', input: '', output: 'a' }
  test.each<[string, Record<string, unknown>, string, Example]>([
    ['alpaca', { ...plain, text: 'rendered' }, 'alpaca', plain],
    ['without input', { instruction: 'q', output: 'a' }, 'alpaca', plain],
    ['GPTeacher', { instruction: 'q', input: 'i', response: 'a' }, 'alpaca', { ...plain, input: 'i' }],
    [
      'dolly',
      { instruction: 'q', context: 'i', response: 'a', category: 'c' },
      'alpaca',
      { ...plain, input: 'i' },
    ],
    ['firefly', { kind: 'k', input: 'q', target: 'a' }, 'alpaca', plain],
    ['xP3', { inputs: 'q', targets: 'a' }, 'alpaca', plain],
    ['GSM8K', { question: 'q', answer: 'a' }, 'alpaca', plain],
    ['numbers as CSV brings them', { question: 'q', answer: 3 }, 'alpaca', { ...plain, output: '3' }],
    [
      'history and system',
      { ...plain, system: 's', history: [['x', 'y']] },
      'alpaca',
      { ...plain, system: 's', history: [['x', 'y']] },
    ],
    [
      'ShareGPT',
      {
        conversations: [
          { from: 'human', value: 'q' },
          { from: 'gpt', value: 'a' },
        ],
        system: 's',
      },
      'sharegpt',
      {
        messages: [
          { role: 'system', content: 's' },
          { role: 'user', content: 'q' },
          { role: 'assistant', content: 'a' },
        ],
      },
    ],
    [
      'tools',
      {
        conversations: [
          { from: 'human', value: 'q' },
          { from: 'function_call', value: '{}' },
          { from: 'observation', value: 'r' },
        ],
        tools: '[{"name":"f"}]',
      },
      'sharegpt',
      {
        messages: [
          { role: 'user', content: 'q' },
          { role: 'assistant', content: '{}' },
          { role: 'tool', content: 'r' },
        ],
        tools: [{ name: 'f' }],
      },
    ],
    [
      'firefly chat',
      { conversation: [{ human: 'q', assistant: 'a' }] },
      'sharegpt',
      {
        messages: [
          { role: 'user', content: 'q' },
          { role: 'assistant', content: 'a' },
        ],
      },
    ],
    [
      'parallel lists',
      { input: ['q', 'r'], output: ['a', 'b'] },
      'sharegpt',
      {
        messages: [
          { role: 'user', content: 'q' },
          { role: 'assistant', content: 'a' },
          { role: 'user', content: 'r' },
          { role: 'assistant', content: 'b' },
        ],
      },
    ],
    [
      'OpenAI messages with parts and calls',
      {
        messages: [
          { role: 'user', content: [{ type: 'text', text: 'q' }] },
          { role: 'assistant', content: null, tool_calls: [{ id: 1 }] },
        ],
      },
      'messages',
      {
        messages: [
          { role: 'user', content: 'q' },
          { role: 'assistant', content: '', toolCalls: [{ id: 1 }], fields: { content: null } },
        ],
      },
    ],
    [
      'completion with GPT-3 mark',
      { prompt: 'q', completion: ' a<|endoftext|>' },
      'completion',
      { ...plain, output: ' a' },
    ],
    ['text', { text: 't' }, 'text', { text: 't' }],
    ['tokenized', { input_ids: [1, 2], labels: [-100, 2] }, 'tokenized', { ids: [1, 2], labels: [-100, 2] }],
  ])('%s', (_, record, name, example) => {
    expect(sniffFormat(record)).toBe(name)
    expect(convert(record)).toEqual(example)
  })

  test('columns', () => {
    const columns = { instruction: 'frage', output: 'antwort' }
    expect(convert({ frage: 'q', antwort: 'a', input: 'i' }, { columns })).toEqual({ ...plain, input: 'i' })
    const error = problem({ frage: 'q' }, { columns })
    expect(error.message).toBe('f.json:7: no field "antwort", which columns.output names; found frage.')
  })

  test.each<[Record<string, unknown>, FormatOptions | undefined, string]>([
    [
      { foo: 1, bar: 2 },
      undefined,
      'f.json:7: the form of the record is not known; its fields are foo, bar.',
    ],
    [{ instruction: 'q' }, { format: 'alpaca' }, 'f.json:7: field "output": expected a text, found nothing.'],
    [
      { instruction: { a: 1 }, output: 'x' },
      undefined,
      'f.json:7: field "instruction": expected a text, found an object.',
    ],
    [{ conversations: [{ from: 'alien', value: 'x' }] }, undefined, 'field "conversations[0].from"'],
    [{ conversations: [{ from: 'constructor', value: 'x' }] }, undefined, 'field "conversations[0].from"'],
    [{ messages: [{ role: '__proto__', content: 'x' }] }, undefined, 'field "messages[0].role"'],
    [
      { conversations: [] },
      undefined,
      'field "conversations": expected a list of turns that is not empty, found an array.',
    ],
    [
      { messages: [{ role: 'user', content: 3 }] },
      undefined,
      'field "messages[0].content": expected a text, found a number.',
    ],
    [{ ids: [1, 2], labels: [1] }, undefined, 'field "labels": expected 2 labels'],
    [{ ids: [1.5] }, undefined, 'field "ids": expected a list of whole numbers'],
  ])('%j is refused', (record, options, message) => {
    const error = problem(record, options)
    expect(error.code).toMatch(/^IFT_DATA_(RECORD|FORMAT)$/)
    expect(error.message).toContain(message)
  })
})

describe("BELLE's turns inside the instruction", () => {
  test('alternating turns become messages', () => {
    expect(
      convert({
        instruction: 'Human:你好\nAssistant:您好！\n有什么事？\nHuman: 再见\nAssistant:',
        input: '',
        output: '再见！',
      }),
    ).toEqual({
      messages: [
        { role: 'user', content: '你好' },
        { role: 'assistant', content: '您好！\n有什么事？' },
        { role: 'user', content: '再见' },
        { role: 'assistant', content: '再见！' },
      ],
    })
  })
  test.each([
    'Write a dialogue between Human: and Assistant: about cats.',
    'Human: hello',
    'Human: hello\nHuman: again\nAssistant:',
    'Human: hello\nAssistant: hi',
    'Continue:\nHuman: hello\nAssistant:',
    'Human:\nAssistant:',
  ])('%j stays an instruction', (instruction) => {
    expect(convert({ instruction, input: '', output: 'x' })).toEqual({ instruction, input: '', output: 'x' })
  })
})

describe('real files', () => {
  const files: [string, string, number][] = [
    ['alpaca/alpaca_data_cleaned_1000.json', 'instruction', 50],
    ['alpaca/torchtune_alpaca_tiny.json', 'instruction', 50],
    ['gpteacher/roleplay.json', 'instruction', 50],
    ['dolly/dolly_fixture.jsonl', 'instruction', 12],
    ['belle_cn/Belle_open_source_1k.jsonl', 'instruction', 50],
    ['belle_cn/dev1K.jsonl', 'instruction', 40],
    ['pclue/pCLUE_train_9.jsonl', 'instruction', 50],
    ['cot/gsm8k_test.raw.jsonl', 'instruction', 30],
    ['p3/ag_news_classify.jsonl', 'instruction', 30],
    ['firefly/dummy_data.jsonl', 'messages', 30],
    ['sharegpt/fastchat_dummy_conversation.json', 'messages', 50],
    ['sharegpt/sharegpt_zh_1K_format.jsonl', 'messages', 15],
    ['sharegpt/chinese_vicuna_chat_sample.jsonl', 'messages', 3],
    ['toolcall/glaive_toolcall_en_demo.json', 'messages', 20],
    ['chinese-medical/medical_sft_1K_format.jsonl', 'messages', 30],
  ]
  test.skipIf(sharedMissing('samples')).each(files)('%s', async (name, field, count) => {
    const examples = []
    for await (const { example } of readExamples(shared(`samples/${name}`))) examples.push(example)
    expect(examples).toHaveLength(count)
    for (const example of examples) expect(example).toHaveProperty(field)
  })
  test.skipIf(sharedMissing('samples'))('every word of a ShareGPT file arrives', async () => {
    const path = shared('samples/sharegpt/fastchat_dummy_conversation.json')
    const raw = JSON.parse(readFileSync(path, 'utf8')) as { conversations: { value: string }[] }[]
    let i = 0
    for await (const { example } of readExamples(path))
      expect('messages' in example && example.messages.map(({ content }) => content)).toEqual(
        raw[i++]!.conversations.map(({ value }) => value),
      )
  })
})

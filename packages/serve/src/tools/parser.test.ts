import { describe, expect, test } from 'vitest'
import { opensReasoning, toolParserFor, type ToolEvent, type ToolParserOptions } from './parser.js'

const hermes = { name: 'chat', source: `'<tool_call>\\n{"name": "'` }
const qwen3 = { name: 'chat', source: `'<think></think>' "<tool_call>\\n{\\"name\\": "` }
const llama3 = { name: 'chat', source: `ipython '{"name": "' '"parameters": '` }
const glm4 = { name: 'glm4', source: null }
const chatglm3 = { name: 'chatglm3', source: null }
const moss = { name: 'moss', source: null }
const alpaca = { name: 'alpaca', source: null }
const mistral = { name: 'chat', source: "'[TOOL_CALLS] ['" }
const unknown = { name: 'chat', source: "'[TOOL_CALLS]' '[ARGS]'" }

type Template = Parameters<typeof toolParserFor>[0]

/** An answer as a client sees it in the end. */
interface Read {
  readonly content: string
  readonly reasoning: string
  readonly calls: readonly (readonly [name: string, args: string])[]
}

const functions = [
  { name: 'f', parameters: { type: 'object', properties: { a: {}, b: {} } } },
  { name: 'get_weather', parameters: { type: 'object', properties: { city: {} } } },
  { name: 'Calculate', parameters: { type: 'object', properties: { expression: {} } } },
]

function events(
  template: Template,
  pieces: readonly string[],
  options: ToolParserOptions = { tools: true, functions },
): ToolEvent[] {
  const parser = toolParserFor(template, options)
  return [...pieces.flatMap((piece) => parser.feed(piece)), ...parser.end()]
}

/** Events with neighbours of one kind joined and without ids, which are random. */
function joined(list: readonly ToolEvent[]): unknown[] {
  const out: { kind: string; index?: number; text: string; name?: string }[] = []
  for (const event of list) {
    const last = out.at(-1)
    if (event.kind === 'call') out.push({ kind: 'call', index: event.index, name: event.name, text: '' })
    else if (last?.kind === event.kind && last.index === ('index' in event ? event.index : undefined))
      last.text += event.text
    else out.push({ ...event })
  }
  return out
}

function read(template: Template, text: string, options?: ToolParserOptions): Read {
  let content = ''
  let reasoning = ''
  const calls: [string, string][] = []
  for (const event of events(template, [text], options)) {
    if (event.kind === 'content') content += event.text
    else if (event.kind === 'reasoning') reasoning += event.text
    else if (event.kind === 'call') {
      expect(event.index).toBe(calls.length)
      expect(event.id).toMatch(/^call_[A-Za-z]{24}$/)
      calls.push([event.name, ''])
    } else calls[event.index]![1] += event.text
  }
  return { content, reasoning, calls }
}

const cases: readonly (readonly [title: string, Template, text: string, Partial<Read>])[] = [
  ['no call', hermes, 'Plain <b>text</b>.\n\n', { content: 'Plain <b>text</b>.\n\n' }],
  [
    'one call',
    hermes,
    '<tool_call>\n{"name": "f", "arguments": {"a": 1.0, "b": [1, {"c": "}"}]}}\n</tool_call>',
    { calls: [['f', '{"a": 1.0, "b": [1, {"c": "}"}]}']] },
  ],
  [
    'text, calls, text',
    hermes,
    'I look.\n<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>\n<tool_call>{"name":"g","arguments":{"x":"y"}}</tool_call>\n\nDone. ',
    {
      content: 'I look.\n\nDone. ',
      calls: [
        ['f', '{}'],
        ['g', '{"x":"y"}'],
      ],
    },
  ],
  [
    'the marks inside of strings',
    hermes,
    '<tool_call>\n{"name": "f", "arguments": {"a": "</tool_call><tool_call>", "b": "\\"</tool_call>"}}\n</tool_call>',
    { calls: [['f', '{"a": "</tool_call><tool_call>", "b": "\\"</tool_call>"}']] },
  ],
  [
    'text that begins like a mark',
    hermes,
    'a < b <tool> <tool_calls> <tool_cal',
    { content: 'a < b <tool> <tool_calls> <tool_cal' },
  ],
  [
    'no JSON between the marks',
    hermes,
    'a <tool_call>not {json}</tool_call> b',
    { content: 'a <tool_call>not {json}</tool_call> b' },
  ],
  [
    'JSON without a name',
    hermes,
    '<tool_call>{"a": 1}</tool_call>',
    { content: '<tool_call>{"a": 1}</tool_call>' },
  ],
  [
    'a call that is cut off',
    hermes,
    '<tool_call>\n{"name": "f", "arguments": {"a": "b',
    { calls: [['f', '{"a": "b']] },
  ],
  ['a name that is cut off', hermes, '<tool_call>\n{"name": "f', { content: '<tool_call>\n{"name": "f' }],
  [
    'arguments that are no JSON, as they came',
    hermes,
    '<tool_call>{"name": "f", "arguments": {"a": oops, "b" "c"}}\n</tool_call>after',
    { calls: [['f', '{"a": oops, "b" "c"}']], content: 'after' },
  ],
  [
    'a string without an end',
    hermes,
    '<tool_call>\n{"name": "f", "arguments": {"a": "b}}\n</tool_call>\n<tool_call>\n{"name": "g", "arguments": {}}\n</tool_call>',
    {
      calls: [
        ['f', '{"a": "b}}'],
        ['g', '{}'],
      ],
    },
  ],
  [
    'one bracket too many',
    hermes,
    '<tool_call>\n{"name": "f", "arguments": {}}}\n</tool_call>\nok',
    { calls: [['f', '{}']], content: '\nok' },
  ],
  [
    'one bracket too few',
    hermes,
    '<tool_call>\n{"name": "f", "arguments": {"a": 1}\n</tool_call>',
    { calls: [['f', '{"a": 1}']] },
  ],
  [
    'a call without an end in front of another',
    hermes,
    '<tool_call>{"name": "f", "arguments": {}}<tool_call>{"name": "g", "arguments": {}}</tool_call>',
    {
      calls: [
        ['f', '{}'],
        ['g', '{}'],
      ],
    },
  ],
  [
    'arguments in front of the name, as a text, none',
    hermes,
    '<tool_call>{"arguments": {"a": 1}, "name": "f"}</tool_call><tool_call>{"name": "g", "arguments": "{\\"a\\": \\"ä\\\\n\\"}"}</tool_call><tool_call>{"name": "h"}</tool_call><tool_call>{"name": "i", "arguments": null}</tool_call>',
    {
      calls: [
        ['f', '{"a": 1}'],
        ['g', '{"a": "ä\\n"}'],
        ['h', '{}'],
        ['i', '{}'],
      ],
    },
  ],
  [
    'a list between the marks, further keys',
    hermes,
    '<tool_call>[{"id": "x", "type": "function", "function": {"name": "f", "arguments": {"a": 2}}}, {"name": "g", "why": [1, "}"], "arguments": {}}]</tool_call>',
    {
      calls: [
        ['f', '{"a": 2}'],
        ['g', '{}'],
      ],
    },
  ],
  [
    'thoughts, text, call',
    qwen3,
    '<think>\nHm.\n\n <tool_call> later </thin\n</think>\n\nYes.\n<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>',
    { reasoning: 'Hm.\n\n <tool_call> later </thin', content: 'Yes.', calls: [['f', '{}']] },
  ],
  ['no thoughts', qwen3, '<think>\n\n</think>\n\n Yes.', { content: 'Yes.' }],
  ['thoughts that are cut off', qwen3, '<think>\nHm </thi', { reasoning: 'Hm </thi' }],
  ['the mark inside the text', qwen3, 'Write <think>x</think>.', { content: 'Write <think>x</think>.' }],
  ['text that begins like thoughts', qwen3, ' <thin', { content: ' <thin' }],
  ['one call', llama3, '{"name": "f", "parameters": {"a": "x"}}', { calls: [['f', '{"a": "x"}']] }],
  [
    'several behind the tag',
    llama3,
    '<|python_tag|>{"name": "f", "parameters": {}}; {"name": "get_weather", "parameters": {"city": "Bern"}}',
    {
      calls: [
        ['f', '{}'],
        ['get_weather', '{"city": "Bern"}'],
      ],
    },
  ],
  ['code behind the tag', llama3, '<|python_tag|>print({"name": 1})', { content: 'print({"name": 1})' }],
  [
    'JSON that is no call',
    llama3,
    '{"name": "Ann", "age": 3, "f": [{}]} is her record.',
    { content: '{"name": "Ann", "age": 3, "f": [{}]} is her record.' },
  ],
  [
    'a function that there is not',
    llama3,
    '{"name": "rm", "parameters": {}}',
    { content: '{"name": "rm", "parameters": {}}' },
  ],
  [
    'a call in the middle',
    llama3,
    'See {"name": "f", "parameters": {}}',
    { content: 'See {"name": "f", "parameters": {}}' },
  ],
  [
    'text behind a call',
    llama3,
    '{"name": "f", "parameters": {}}\n\nThat was it.',
    { calls: [['f', '{}']], content: '\n\nThat was it.' },
  ],
  ['one call', alpaca, ' [{"name":"f","arguments":{"a":[1,2]}}] ', { calls: [['f', '{"a":[1,2]}']] }],
  [
    "OpenAI's form",
    alpaca,
    '[{"id":"1","type":"function","function":{"name":"f","arguments":"{\\"a\\":1}"}},{"name":"get_weather","arguments":{}}]',
    {
      calls: [
        ['f', '{"a":1}'],
        ['get_weather', '{}'],
      ],
    },
  ],
  ['a list that is no call', alpaca, '[1, 2] and [{"name": 1}]', { content: '[1, 2] and [{"name": 1}]' }],
  [
    'behind its token',
    mistral,
    '[TOOL_CALLS] [{"name": "f", "arguments": {"a": 1}, "id": "abcdefghi"}]',
    { calls: [['f', '{"a": 1}']] },
  ],
  ['without it', mistral, ' [{"name": "f", "arguments": {}}]', { calls: [['f', '{}']] }],
  ['its token in front of no calls', mistral, '[TOOL_CALLS] none', { content: '[TOOL_CALLS] none' }],
  ['an object', alpaca, '{"name": "f", "arguments": {}}', { content: '{"name": "f", "arguments": {}}' }],
  [
    'a list that ends in something else',
    alpaca,
    '[{"name": "f", "arguments": {}}, {"what": 1}] ok',
    { calls: [['f', '{}']], content: ', {"what": 1}] ok' },
  ],
  ['text', glm4, '\nHello\nf\n{"a": 1}', { content: 'Hello\nf\n{"a": 1}' }],
  ['one call', glm4, 'get_weather\n{"city": "Bern"}', { calls: [['get_weather', '{"city": "Bern"}']] }],
  [
    'text and calls with the role shown',
    glm4,
    '\nI look.<|assistant|>f\n{"a": "<|assistant|>"}<|assistant|>get_weather\n{}',
    {
      content: 'I look.',
      calls: [
        ['f', '{"a": "<|assistant|>"}'],
        ['get_weather', '{}'],
      ],
    },
  ],
  ['a word that is no function', glm4, 'hello\n{"a": 1}', { content: 'hello\n{"a": 1}' }],
  ['a function that is only named', glm4, 'f\nis a letter', { content: 'f\nis a letter' }],
  ['cut off', glm4, 'f\n{"a": ', { calls: [['f', '{"a": ']] }],
  ['text', chatglm3, '\n Hello', { content: 'Hello' }],
  [
    'one call',
    chatglm3,
    "f\n ```python\ntool_call(a='x\\'\\n)', b=[1.50, None, True, {'k': \"v\"}])\n```",
    { calls: [['f', '{"a": "x\'\\n)", "b": [1.50, null, true, {"k": "v"}]}']] },
  ],
  [
    'code that is no call',
    chatglm3,
    'f\n ```python\ntool_call(open("x"))\n```',
    { content: 'f\n ```python\ntool_call(open("x"))\n```' },
  ],
  ['cut off', chatglm3, "f\n ```python\ntool_call(a='", { content: "f\n ```python\ntool_call(a='" }],
  [
    'thoughts and commands',
    moss,
    ' I count.\n<|Commands|>: Calculate("1+2"), f(1, ["x)"])',
    {
      content: 'I count.',
      calls: [
        ['Calculate', '{"expression": "1+2"}'],
        ['f', '{"a": 1, "b": ["x)"]}'],
      ],
    },
  ],
  ['neither', moss, ' None\n<|Commands|>: None', {}],
  ['text', moss, ' None of them < |', { content: 'None of them < |' }],
  ['an unknown form', unknown, '[TOOL_CALLS][{"name":"f"}]', { content: '[TOOL_CALLS][{"name":"f"}]' }],
]

test.each(cases)('%s (%o): %s', (_, template, text, expected) => {
  expect(read(template, text)).toEqual({ content: '', reasoning: '', calls: [], ...expected })
})

/** Numbers from 0 to 1 of a seed. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

describe('any cut into pieces gives the same events', () => {
  test.each(cases)('%s (%o): %s', (_, template, text) => {
    const whole = joined(events(template, [text]))
    expect(joined(events(template, text.split('')))).toEqual(whole)
    for (let at = 1; at < text.length; at++)
      expect(joined(events(template, [text.slice(0, at), text.slice(at)])), `cut at ${at}`).toEqual(whole)
  })

  test('texts put together of marks and their parts', () => {
    const parts = [
      ...[
        '<tool_call>',
        '</tool_call>',
        '<tool_',
        'call>',
        '\n',
        ' ',
        '{"name": "f", "arguments": {"a": "',
        '"}}',
        '{"name": "f"',
      ],
      ...[
        '}',
        '[',
        ']',
        ',',
        ';',
        '"',
        '\\',
        '<|python_tag|>',
        '{"name": "f", "parameters": {}}',
        'word',
        '<think>',
        '</think>',
      ],
      ...[
        'f\n{"a": 1}',
        'f\n ```python\ntool_call(a=1)\n```',
        '<|assistant|>',
        '<|Commands|>:',
        ' f(1)',
        'None',
        '\n ',
      ],
    ]
    const random = numbers(7)
    const templates = [hermes, qwen3, llama3, alpaca, glm4, chatglm3, moss, mistral]
    for (let round = 0; round < 3000; round++) {
      const template = templates[round % templates.length]!
      let text = ''
      for (let n = random() * 12; n > 0; n--) text += parts[Math.floor(random() * parts.length)]!
      const pieces: string[] = []
      for (let at = 0; at < text.length;) {
        const length = 1 + Math.floor(random() * 9)
        pieces.push(text.slice(at, at + length))
        at += length
      }
      expect(joined(events(template, pieces)), JSON.stringify([template.name, text])).toEqual(
        joined(events(template, [text])),
      )
    }
  })
})

test('arguments come while they are written', () => {
  const parser = toolParserFor(hermes, { tools: true })
  parser.feed('<tool_call>\n{"name": "f", "arguments": {"a": "')
  expect(parser.feed('long te')).toEqual([{ kind: 'arguments', index: 0, text: 'long te' }])
})

test('without tools reasoning alone is split off', () => {
  const text = '<think>Hm</think><tool_call>{"name": "f", "arguments": {}}</tool_call>'
  expect(read(qwen3, text, { tools: false })).toEqual({
    content: '<tool_call>{"name": "f", "arguments": {}}</tool_call>',
    reasoning: 'Hm',
    calls: [],
  })
  expect(read(hermes, '<think>Hm</think>', { tools: false }).content).toBe('<think>Hm</think>')
  expect(read(glm4, '\nHello', { tools: false }).content).toBe('Hello')
})

test('thoughts that the prompt begins', () => {
  expect(opensReasoning('<|im_start|>assistant\n<think>\n')).toBe(true)
  expect(opensReasoning('<|im_start|>assistant\n<think>\n\n</think>\n\n')).toBe(false)
  expect(opensReasoning('Write <think> and wait')).toBe(false)
  const options = { tools: true, reasoning: true }
  expect(read(qwen3, 'Hm\n</think>\n\nYes', options)).toMatchObject({ reasoning: 'Hm', content: 'Yes' })
})

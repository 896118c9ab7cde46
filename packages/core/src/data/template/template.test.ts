import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { IftError } from '@ift/tensor'
import type { PromptTemplate } from '../../contract/template.js'
import { shared, sharedMissing } from '../../testing/shared.fixture.js'
import { wordTokenizer } from '../../testing/tokenizer.js'
import type { InstructionExample, MessagesExample, Segment } from '../../contract/data.js'
import { builtinTemplates, createChatTemplate } from './index.js'

const named = (name: string): PromptTemplate => builtinTemplates.find((template) => template.name === name)!
const textOf = (segments: readonly Segment[]) =>
  segments.map(({ text, special }) => (special ? `<${text}>` : text)).join('')
const trainedOf = (segments: readonly Segment[]) => textOf(segments.filter(({ trained }) => trained))

const single: InstructionExample = { instruction: 'Q', input: '', output: 'A' }
const rounds: MessagesExample = {
  messages: [
    { role: 'system', content: 'S' },
    { role: 'user', content: 'Q1' },
    { role: 'assistant', content: 'A1' },
    { role: 'user', content: 'Q2' },
    { role: 'assistant', content: 'A2' },
  ],
}
const asked: MessagesExample = { messages: rounds.messages.slice(0, -1) }

describe('alpaca', () => {
  const alpaca = named('alpaca')
  test('both texts of the original platform, character by character', () => {
    expect(textOf(alpaca.render(single, 'assistant'))).toBe(
      'Below is an instruction that describes a task. Write a response that appropriately completes the request.' +
        '\n\n### Instruction:\nQ\n\n### Response: A <eos>',
    )
    expect(textOf(alpaca.render({ ...single, input: ' ' }, 'assistant'))).toBe(
      'Below is an instruction that describes a task, paired with an input that provides further context. ' +
        'Write a response that appropriately completes the request.\n\n### Instruction:\nQ\n\n### Input:\n \n\n### Response: A <eos>',
    )
    expect(trainedOf(alpaca.render(single, 'assistant'))).toBe(' A <eos>')
    expect(textOf(alpaca.prompt(single))).toMatch(/### Response:$/)
  })
  test('several rounds', () => {
    const text =
      'S\n\nBelow is an multi-round dialogue between human and assistant. Write a response as an assistant that appropriately ' +
      'completes the human request in each round by incorporating previous context.\n\n' +
      '### Human: Q1\n<eos>### Assistant: A1\n<eos>### Human: Q2\n<eos>### Assistant: A2<eos>'
    expect(textOf(alpaca.render(rounds, 'assistant'))).toBe(text)
    expect(trainedOf(alpaca.render(rounds, 'assistant'))).toBe(' A1\n<eos> A2<eos>')
    expect(trainedOf(alpaca.render(rounds, 'last'))).toBe(' A2<eos>')
    expect(trainedOf(alpaca.render(rounds, 'all'))).toBe(text)
    expect(
      textOf(
        alpaca.render(
          { instruction: 'Q2', input: '', output: 'A2', system: 'S', history: [['Q1', 'A1']] },
          'assistant',
        ),
      ),
    ).toBe(text)
  })
  test('a conversation of one round is an instruction', () => {
    const messages = [{ role: 'user', content: 'Q' } as const, { role: 'assistant', content: 'A' } as const]
    expect(alpaca.render({ messages }, 'assistant')).toEqual(alpaca.render(single, 'assistant'))
  })
  test.skipIf(sharedMissing('samples/alpaca'))(
    'prompts of the published set, up to the line end behind "Response:"',
    () => {
      const rows = JSON.parse(
        readFileSync(shared('samples/alpaca/torchtune_alpaca_tiny.json'), 'utf8'),
      ) as (InstructionExample & { text: string })[]
      expect(rows.length).toBeGreaterThan(10)
      for (const row of rows) expect(`${textOf(alpaca.prompt(row))}\n${row.output}`).toBe(row.text)
    },
  )
})

describe('conversation formats', () => {
  const rendered: Record<string, [text: string, trained: string]> = {
    vicuna: ['S USER: Q1 ASSISTANT: A1<eos>USER: Q2 ASSISTANT: A2<eos>', ' A1<eos> A2<eos>'],
    belle: ['S\nHuman: \nQ1\n\nAssistant: \nA1<eos>Human: \nQ2\n\nAssistant: \nA2<eos>', 'A1<eos>A2<eos>'],
    chatml: [
      '<<|im_start|>>system\nS<<|im_end|>>\n<<|im_start|>>user\nQ1<<|im_end|>>\n<<|im_start|>>assistant\nA1<<|im_end|>>\n' +
        '<<|im_start|>>user\nQ2<<|im_end|>>\n<<|im_start|>>assistant\nA2<<|im_end|>>',
      'A1<<|im_end|>>A2<<|im_end|>>',
    ],
    llama2: [
      '<bos>[INST] <<SYS>>\nS\n<</SYS>>\n\nQ1 [/INST] A1 <eos><bos>[INST] Q2 [/INST] A2 <eos>',
      ' A1 <eos> A2 <eos>',
    ],
    plain: ['S\nQ1\nA1<eos>\nQ2\nA2<eos>', 'A1<eos>A2<eos>'],
    completion: ['S\nQ1A1<eos>\nQ2A2<eos>', 'A1<eos>A2<eos>'],
  }
  test.each(Object.entries(rendered))('%s', (name, [text, trained]) => {
    expect(textOf(named(name).render(rounds, 'assistant'))).toBe(text)
    expect(trainedOf(named(name).render(rounds, 'assistant'))).toBe(trained)
  })
  test('llama3', () => {
    const head = (role: string) => `<<|start_header_id|>>${role}<<|end_header_id|>>\n\n`
    expect(textOf(named('llama3').render(rounds, 'assistant'))).toBe(
      `<bos>${head('system')}S<<|eot_id|>>${head('user')}Q1<<|eot_id|>>${head('assistant')}A1<<|eot_id|>>` +
        `${head('user')}Q2<<|eot_id|>>${head('assistant')}A2<<|eot_id|>>`,
    )
  })
  test("vicuna's own system text stands in when there is none", () => {
    expect(textOf(named('vicuna').prompt(single))).toMatch(
      /^A chat between .* questions\. USER: Q ASSISTANT:$/,
    )
  })
  test('plain puts the input on a line of its own', () => {
    expect(textOf(named('plain').render({ ...single, input: 'I' }, 'assistant'))).toBe('Q\nI\nA<eos>')
  })
  test.each(builtinTemplates.map((template) => [template.name, template] as const))(
    '%s: a prompt is the beginning of the training text, and the answer is trained to its end token',
    (_, template) => {
      for (const [full, question] of [
        [rounds, asked],
        [single, single],
        [
          { ...single, input: 'I' },
          { ...single, input: 'I' },
        ],
        [
          { ...single, history: [['x', 'y']], system: 'S' },
          { ...single, history: [['x', 'y']], system: 'S' },
        ],
      ] as [InstructionExample, InstructionExample][]) {
        const whole = template.render(full, 'assistant')
        const prompt = textOf(template.prompt(question))
        expect(textOf(whole).startsWith(prompt)).toBe(true)
        const answer = textOf(whole).slice(prompt.length)
        expect(trainedOf(template.render(full, 'last'))).toBe(answer)
        expect(whole.at(-1)).toMatchObject({ special: true, trained: true })
        expect(template.prompt(question).some(({ trained }) => trained)).toBe(false)
      }
    },
  )
  test('a prompt needs a question', () => {
    for (const template of builtinTemplates)
      expect(() => template.prompt(rounds)).toThrow(/nothing to answer/)
  })
})

describe('chat template of the checkpoint', () => {
  const chatml =
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
  const chat = (chatTemplate: string | null) =>
    createChatTemplate(
      wordTokenizer({
        specials: ['<|im_start|>', '<|im_end|>'],
        ...(chatTemplate !== null && { chatTemplate }),
      }),
    )
  const problem = (work: () => unknown): IftError => {
    try {
      work()
    } catch (error) {
      return error as IftError
    }
    throw new Error('no error')
  }

  test('answers are found by rendering; what follows the end token is not trained', () => {
    const segments = chat(chatml).render(rounds, 'assistant')
    expect(textOf(segments)).toBe(`${textOf(named('chatml').render(rounds, 'assistant'))}\n`)
    expect(trainedOf(segments)).toBe('A1<<|im_end|>>A2<<|im_end|>>')
    expect(trainedOf(chat(chatml).render(rounds, 'last'))).toBe('A2<<|im_end|>>')
    expect(textOf(chat(chatml).prompt(asked))).toBe(textOf(named('chatml').prompt(asked)))
  })
  test('an answer that quotes its question is still found', () => {
    const messages = [
      { role: 'user', content: 'say: yes' } as const,
      { role: 'assistant', content: 'say: yes' } as const,
    ]
    expect(trainedOf(chat(chatml).render({ messages }, 'assistant'))).toBe('say: yes<<|im_end|>>')
  })
  test('special tokens inside messages stay text', () => {
    const segments = chat(chatml).prompt({ messages: [{ role: 'user', content: 'a<|im_end|>b' }] })
    expect(segments.filter(({ special }) => special)).toHaveLength(3)
    expect(segments.some(({ text, special }) => !special && text === 'user\na<|im_end|>b')).toBe(true)
  })
  test('so do those in names of fields, in tools, calls and variables', () => {
    const writes = chat(
      '{{ tools | tojson }}{{ note | tojson }}{% for m in messages %}{{ (m.tool_calls or m.extra) | tojson }}{% endfor %}',
    )
    const named = { 'a<|im_end|>b': 1 }
    const segments = writes.prompt({
      messages: [
        { role: 'user', content: 'q', fields: { extra: named } },
        { role: 'assistant', content: '', toolCalls: [{ function: { name: 'f', arguments: named } }] },
        { role: 'user', content: 'r', fields: { extra: 1 } },
      ],
      tools: [{ type: 'function', function: { name: 'f', parameters: { properties: named } } }],
      variables: { note: named },
    })
    expect(segments.filter(({ special }) => special)).toEqual([])
    expect(textOf(segments).split('"a<|im_end|>b": 1')).toHaveLength(5)
  })
  test('variables are read by name, and are none of the conversation', () => {
    const template = chat(
      '{{ messages | length }}{{ add_generation_prompt }}{{ tools }}{% if think is defined %}{{ think }}{% endif %}',
    )
    const variables = { think: { deep: [1, null] }, messages: [], add_generation_prompt: false, tools: 1 }
    expect(textOf(template.prompt({ ...asked, variables }))).toBe("4TrueNone{'deep': [1, None]}")
    expect(textOf(template.prompt(asked))).toBe('4TrueNone')
  })
  test('LLaMA 2 form: bos and eos written by the template', () => {
    const llama2 =
      "{% for m in messages %}{% if m.role == 'user' %}{{ bos_token + '[INST] ' + m.content + ' [/INST]' }}{% elif m.role == 'assistant' %}" +
      "{{ ' ' + m.content + ' ' + eos_token }}{% endif %}{% endfor %}"
    const segments = chat(llama2).render({ messages: rounds.messages.slice(1) }, 'assistant')
    expect(textOf(segments)).toBe('<<s>>[INST] Q1 [/INST] A1 <</s>><<s>>[INST] Q2 [/INST] A2 <</s>>')
    expect(trainedOf(segments)).toBe(' A1 <</s>> A2 <</s>>')
  })
  test('a template without end tokens gets one, so that the model learns to stop', () => {
    const bare =
      "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
    const messages = rounds.messages.slice(1, 3)
    expect(textOf(chat(bare).render({ messages }, 'assistant'))).toBe('user: Q1\nassistant: A1\n<eos>')
  })
  test('a template that rewrites earlier turns: what it writes for them is not learned', () => {
    const rewriting =
      "{% for m in messages %}{% if m.role == 'assistant' and not loop.last %}(gone){% else %}{{ m.content }}{% endif %};{% endfor %}"
    const segments = chat(rewriting).render(rounds, 'assistant')
    expect(textOf(segments)).toContain('(gone)')
    expect(trainedOf(segments)).toBe('A2;<eos>')
  })
  test('a template that writes no answer', () => {
    const silent = "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}"
    const error = problem(() => chat(silent).render(rounds, 'assistant'))
    expect(error.code).toBe('IFT_TEMPLATE_UNSTABLE')
    expect(error.message).toContain('Q1')
  })
  test('a template that refuses, a template that is broken, no template', () => {
    expect(
      problem(() => chat("{{ raise_exception('roles must alternate') }}").render(rounds, 'assistant')),
    ).toMatchObject({
      code: 'IFT_TEMPLATE_FAILED',
      message: expect.stringContaining('roles must alternate') as string,
    })
    expect(problem(() => chat('{% for %}')).code).toBe('IFT_TEMPLATE_FAILED')
    expect(problem(() => chat(null)).code).toBe('IFT_TEMPLATE_MISSING')
  })
  test('the date does not depend on the day', () => {
    expect(textOf(chat("{{ strftime_now('%d %b %Y') }}").prompt(asked))).toBe('26 Jul 2024')
    expect(textOf(chat('{% if strftime_now is defined %}now{% else %}then{% endif %}').prompt(asked))).toBe(
      'then',
    )
  })
  test('tools reach the template', () => {
    const tools = chat('{{ tools[0].name }}{% for m in messages %}{{ m.tool_calls[0].id }}{% endfor %}')
    expect(
      textOf(
        tools.prompt({
          messages: [{ role: 'user', content: '', toolCalls: [{ id: 'c1' }] }],
          tools: [{ name: 'f' }],
        }),
      ),
    ).toBe('fc1')
  })
})

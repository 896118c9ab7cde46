// Calls of functions through the whole server: what the template is told, and what becomes of an answer, whole and in pieces.
import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { script } from '../scripted.fixture.js'
import { modelWithTemplate, testServer, type TestServer } from '../server.fixture.js'

const messages = (calls: string) => `{% for m in messages %}### {{ m.role }}
{{ m.content or '' }}{% for call in m.tool_calls or [] %}${calls}{% endfor %}
{% endfor %}{% if add_generation_prompt %}### assistant
{% endif %}`
const shown = `{% for tool in tools or [] %}{{ tool | tojson }}
{% endfor %}`

const forms = {
  hermes: {
    template: `${shown}${messages(`<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>`)}`,
    answer:
      'Let me see.\n<tool_call>\n{"name": "weather", "arguments": {"city": "Bern"}}\n</tool_call>\n<tool_call>\n{"name": "time", "arguments": {}}\n</tool_call>',
    content: 'Let me see.',
    calls: [
      ['weather', '{"city": "Bern"}'],
      ['time', '{}'],
    ],
  },
  llama3: {
    template: `${shown}${messages('{"name": "{{ call.function.name }}", "parameters": {{ call.function.arguments | tojson }}}<|python_tag|>')}`,
    answer: '{"name": "weather", "parameters": {"city": "Bern", "days": [1, 2]}}',
    content: null,
    calls: [['weather', '{"city": "Bern", "days": [1, 2]}']],
  },
} as const

const tools = [
  {
    type: 'function',
    function: {
      name: 'weather',
      description: 'The weather of a city.',
      parameters: { type: 'object', properties: { city: { type: 'string' } } },
    },
  },
  { type: 'function', function: { name: 'time' } },
]

interface Called {
  readonly index?: number
  readonly id?: string
  readonly function: { readonly name?: string; readonly arguments?: string }
}
interface Said {
  readonly content?: string | null
  readonly tool_calls?: readonly Called[]
}
interface Reply {
  readonly choices: readonly {
    readonly message: Said
    readonly delta: Said
    readonly finish_reason: string | null
  }[]
  readonly usage: { readonly prompt_tokens: number }
}

describe.each(Object.entries(forms))('%s', (_, { template, answer, content, calls }) => {
  const scripted = script()
  let weights: string
  let tiny: TestServer
  beforeAll(async () => {
    weights = modelWithTemplate(template)
    tiny = await testServer({}, { weights, template: 'chat' }, [scripted.plugin])
    await scripted.say(tiny.ift, answer)
  })
  afterAll(async () => {
    await tiny.close()
    rmSync(weights, { recursive: true })
  })
  const asked = { messages: [{ role: 'user', content: 'How is Bern?' }], tools, max_tokens: 200 }
  const ask = (body: object) => tiny.post('/v1/chat/completions', { ...asked, ...body })
  const whole = async (body: object = {}) => (await (await ask(body)).json()) as Reply

  test('whole', async () => {
    const { choices } = await whole()
    expect(choices).toHaveLength(1)
    const [{ message, finish_reason }] = choices as [Reply['choices'][number]]
    expect(finish_reason).toBe('tool_calls')
    expect(message.content).toBe(content)
    expect(message.tool_calls!.map((call) => [call.function.name, call.function.arguments])).toEqual(calls)
    expect(new Set(message.tool_calls!.map(({ id }) => id)).size).toBe(calls.length)
  })

  test('in pieces', async () => {
    const text = await (await ask({ stream: true })).text()
    const events = text
      .split('\n\n')
      .filter((event) => event.startsWith('data: {'))
      .map((event) => (JSON.parse(event.slice(6)) as Reply).choices[0]!)
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
    expect(events.map(({ delta }) => delta.content ?? '').join('')).toBe(content ?? '')
    const found: [name: string, text: string][] = []
    let pieces = 0
    for (const { delta } of events)
      for (const { index, id, function: part } of delta.tool_calls ?? []) {
        // The name comes once, with an id; the arguments follow.
        if (part.name !== undefined) found[index!] = [part.name, '']
        expect(id !== undefined).toBe(part.name !== undefined)
        found[index!]![1] += part.arguments ?? ''
        pieces++
      }
    expect(found).toEqual(calls)
    expect(pieces).toBeGreaterThan(2 * calls.length)
    expect(events.at(-1)!.finish_reason).toBe('tool_calls')
  })

  test('the template is told the functions, and of none with tool_choice "none", under which calls are text', async () => {
    const plain = await whole({ tools: undefined })
    const none = await whole({ tool_choice: 'none' })
    expect((await whole()).usage.prompt_tokens).toBeGreaterThan(none.usage.prompt_tokens + 20)
    expect(none.usage.prompt_tokens).toBe(plain.usage.prompt_tokens)
    expect(none.choices[0]!.message.content).toBe(answer)
    expect(none.choices[0]!.finish_reason).toBe('stop')
  })

  test('results go back with the call that they belong to', async () => {
    const [name, text] = calls[0]
    const call = { id: 'c1', type: 'function', function: { name, arguments: text } }
    const back = [
      ...asked.messages,
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c1', content: 'Rain' },
    ]
    const reply = await tiny.post('/tokenize', { messages: back })
    const { tokens } = (await reply.json()) as { tokens: number[] }
    const { prompt } = (await (await tiny.post('/detokenize', { tokens })).json()) as { prompt: string }
    expect(prompt).toContain(`"name": "weather"`)
    expect(prompt).toContain(text)
    expect(prompt).toContain('### tool\nRain')
  })
})

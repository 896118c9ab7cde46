import { expect, test } from 'vitest'
import {
  builtinTemplates,
  createChatTemplate,
  parseExactJson,
  type MessagesExample,
  type PromptTemplate,
} from '@ift/core'
import { baichuanChat } from '@ift/model-baichuan'
import { chatglm2, chatglm3, glm4 } from '@ift/model-chatglm'
import { internlmChat } from '@ift/model-internlm'
import { mossTemplate } from '@ift/model-moss'
import { toolParserFor } from '../../packages/serve/src/tools/parsers.fixture.js'

// What a template writes of an assistant's calls, and is learned, is read back from an answer as the same calls.

const tokenizer = {
  chatTemplate: null,
  specials: new Map([
    ['<|im_end|>', 1],
    ['<|eot_id|>', 2],
  ]),
  bosId: null,
  eosId: 1,
  token: () => undefined,
}

const hermes = `{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content or '' }}{% for c in m.tool_calls or [] %}{% if m.content or not loop.first %}
{% endif %}<tool_call>
{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`
const qwen3 = hermes.replace(
  "{{ m.content or '' }}",
  "{% if m.role == 'assistant' %}<think>\n{{ m.reasoning_content or '' }}\n</think>\n\n{% endif %}{{ m.content or '' }}",
)
const llama3 = `{% for m in messages %}<|start_header_id|>{{ 'ipython' if m.role == 'tool' else m.role }}<|end_header_id|>

{% if m.tool_calls %}{"name": "{{ m.tool_calls[0].function.name }}", "parameters": {{ m.tool_calls[0].function.arguments | tojson }}}{% else %}{{ m.content }}{% endif %}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>

{% endif %}`

const jinja = (source: string) => createChatTemplate(tokenizer, { source })

const given: Readonly<Record<string, unknown>> = {
  city: 'Zürich "HB"\n</tool_call>, \\ it\'s',
  days: 3,
  share: 0.5,
  deep: { list: [1, true, null, { a: 'b' }] },
}
const call = (name: string, args: unknown) => ({ type: 'function', function: { name, arguments: args } })
const functions = [
  {
    name: 'get_weather',
    parameters: { type: 'object', properties: { city: {}, days: {}, share: {}, deep: {} } },
  },
  { name: 'f', parameters: { type: 'object', properties: {} } },
]

/** What a model answers that has learned this: the learned text, special tokens left out. */
function answer(template: PromptTemplate, message: MessagesExample['messages'][number]): string {
  const messages = [{ role: 'user' as const, content: 'Weather?' }, message]
  return template
    .render({ messages, tools: functions }, 'assistant')
    .filter(({ trained, special }) => trained && special !== true)
    .map(({ text }) => text)
    .join('')
}

function read(template: PromptTemplate & { readonly source?: string }, text: string) {
  const parser = toolParserFor(
    { name: template.name, source: template.source ?? null },
    { tools: true, functions },
  )
  const found = { content: '', reasoning: '', calls: [] as { name: string; arguments: string }[] }
  for (const event of [...text.split('').flatMap((char) => parser.feed(char)), ...parser.end()])
    if (event.kind === 'call') found.calls[event.index] = { name: event.name, arguments: '' }
    else if (event.kind === 'arguments') found.calls[event.index]!.arguments += event.text
    else found[event.kind] += event.text
  return {
    ...found,
    calls: found.calls.map(({ name, arguments: args }) => ({ name, arguments: parseExactJson(args) })),
  }
}

const named = (template: PromptTemplate) => [template.name, template] as const
const listed = [
  ...builtinTemplates.filter(({ name }) => name !== 'completion'),
  baichuanChat,
  internlmChat,
  chatglm2,
]

test.each([
  ...listed.map(named),
  ...[chatglm3, glm4, mossTemplate].map(named),
  ['hermes', jinja(hermes)],
  ['qwen3', jinja(qwen3)],
  ['llama3 chat', jinja(llama3)],
] as const)('%s: one call', (_, template) => {
  const text = answer(template, { role: 'assistant', content: '', toolCalls: [call('get_weather', given)] })
  expect(read(template, text), text).toEqual({
    content: '',
    reasoning: '',
    calls: [{ name: 'get_weather', arguments: given }],
  })
})

test.each([...listed.map(named), ['moss', mossTemplate], ['hermes', jinja(hermes)]] as const)(
  '%s: several calls',
  (_, template) => {
    const toolCalls = [call('get_weather', given), call('f', {})]
    const text = answer(template, { role: 'assistant', content: '', toolCalls })
    expect(read(template, text).calls, text).toEqual([
      { name: 'get_weather', arguments: given },
      { name: 'f', arguments: {} },
    ])
  },
)

test.each([
  ['hermes', jinja(hermes)],
  ['qwen3', jinja(qwen3)],
  ['moss', mossTemplate],
] as const)('%s: text and a call', (_, template) => {
  const text = answer(template, { role: 'assistant', content: 'I look.', toolCalls: [call('f', {})] })
  expect(read(template, text)).toMatchObject({ content: 'I look.', calls: [{ name: 'f' }] })
})

test('thoughts', () => {
  const text = answer(jinja(qwen3), {
    role: 'assistant',
    content: 'Yes.',
    fields: { reasoning_content: 'Hm.\n\nWell.' },
  })
  expect(read(jinja(qwen3), text)).toEqual({ content: 'Yes.', reasoning: 'Hm.\n\nWell.', calls: [] })
})

test.each([...listed, chatglm3, glm4].map(named))('%s: an answer without calls', (_, template) => {
  const text = answer(template, { role: 'assistant', content: 'It [is] {fine}:\n[1, 2].' })
  expect(read(template, text)).toMatchObject({ calls: [], reasoning: '' })
  expect(read(template, text).content.trim()).toBe('It [is] {fine}:\n[1, 2].')
})

import { expect, test } from 'vitest'
import { builtinTemplates, createChatTemplate } from '../data/template/index.js'
import { toMessages } from '../data/conversation.js'
import { said, special } from '../data/template/turns.js'
import type { PromptTemplate } from '../contract/index.js'
import { wordTokenizer } from '../testing/tokenizer.js'
import { endTokens, turnEnds } from './end-tokens.js'

const specials = [
  '<|im_start|>',
  '<|im_end|>',
  '<|eom|>',
  '<|think|>',
  '<|start_header_id|>',
  '<|end_header_id|>',
  '<|eot_id|>',
]
const tokenizer = wordTokenizer({ specials })
const id = (text: string) => tokenizer.specials.get(text)!
const eos = tokenizer.eosId!
const chat = (chatTemplate: string) => createChatTemplate(wordTokenizer({ specials, chatTemplate }))
const turns = (answer: string) =>
  `{% for m in messages %}{% if m.role == 'assistant' %}<|im_start|>${answer}{% else %}<|im_start|>{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}` +
  '{% if add_generation_prompt %}<|im_start|>{% endif %}'

test('what stands behind an answer', () => {
  expect(turnEnds(chat(turns('{{ m.content }}<|im_end|>\n')), tokenizer)).toEqual(new Set([id('<|im_end|>')]))
})
test('the end of an answer inside a conversation, and of a call, may be another', () => {
  const template: PromptTemplate = {
    name: 'two ends',
    stop: [],
    prompt: () => [],
    render: (example) =>
      toMessages(example).flatMap(({ role, content, toolCalls }, i, all) =>
        role === 'assistant'
          ? [
              said('assistant', content, true),
              special(toolCalls ? '<|eom|>' : i === all.length - 1 ? 'eos' : '<|im_end|>', true),
              said('template', '\n'),
            ]
          : [said('user', content)],
      ),
  }
  expect(turnEnds(template, tokenizer)).toEqual(new Set([eos, id('<|im_end|>'), id('<|eom|>')]))
})
test('a special token inside every answer does not end it', () => {
  const template = turns(
    '{% if m.tool_calls %}call<|think|>{% else %}no<|think|>{{ m.content }}<|im_end|>{% endif %}',
  )
  expect(turnEnds(chat(template), tokenizer)).toEqual(new Set([id('<|im_end|>')]))
})
test('a template that refuses all', () => {
  expect(turnEnds(chat("{{ raise_exception('no') }}"), tokenizer)).toEqual(new Set())
})
test.each(builtinTemplates.map((template) => [template.name, template] as const))('%s', (name, template) => {
  const end = { chatml: id('<|im_end|>'), llama3: id('<|eot_id|>') }[name] ?? eos
  expect([...turnEnds(template, tokenizer)]).toContain(end)
})

const chatml = builtinTemplates.find(({ name }) => name === 'chatml')!
const alpaca = builtinTemplates.find(({ name }) => name === 'alpaca')!
test('generation_config.json is kept and gets what was learned', () => {
  const generationConfig = { do_sample: true, eos_token_id: 5 }
  const found = endTokens({ json: {}, generationConfig }, tokenizer, chatml)
  expect(found.generationConfig).toEqual({ do_sample: true, eos_token_id: [5, id('<|im_end|>')] })
  expect(found.ends).toEqual(new Set([eos, 5, id('<|im_end|>')]))
})
test('where there is none, it is made when programs would not find the end without it', () => {
  const json = { bos_token_id: 1, eos_token_id: eos, vocab_size: 9 }
  expect(endTokens({ json, generationConfig: undefined }, tokenizer, chatml).generationConfig).toEqual({
    bos_token_id: 1,
    eos_token_id: [eos, id('<|im_end|>')],
  })
  expect(endTokens({ json, generationConfig: undefined }, tokenizer, alpaca).generationConfig).toBeUndefined()
})
test('an adapter is ended by what it learned under another template too', () => {
  const { ends, learned } = endTokens({ json: {}, generationConfig: undefined }, tokenizer, alpaca, [7])
  expect(learned).toEqual([eos, 7])
  expect(ends).toEqual(new Set([eos, 7]))
})

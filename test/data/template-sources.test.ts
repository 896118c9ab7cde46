import { beforeAll, describe, expect, test } from 'vitest'
import { builtinTemplates, PluginSession, type Message, type PromptTemplate, type Segment } from '@ift/core'
import { compileTemplate } from '@ift/core/testing'
import { executeGo } from '../fixture/go-template.js'
import { conversations } from '../fixture/conversations.js'
import { pluginsOf } from '../fixture/models.js'
import { root } from '../fixture/files.js'

const tokens = { bos: '<s>', eos: '</s>' }
const templates = [...builtinTemplates]
beforeAll(async () => {
  const session = new PluginSession(root)
  for (const plugin of await pluginsOf(/^model-/)) session.use(plugin)
  templates.push(...session.hooks.template.names().map((name) => session.hooks.template.find(name)!))
})

const textOf = (segments: readonly Segment[]) =>
  segments
    .map(({ text, special }) =>
      special && text === 'bos' ? tokens.bos : special && text === 'eos' ? tokens.eos : text,
    )
    .join('')

const expected = (template: PromptTemplate, messages: readonly Message[]) =>
  messages.at(-1)!.role === 'assistant'
    ? textOf(template.render({ messages: [...messages] }, 'assistant'))
    : textOf(template.prompt({ messages: [...messages] }))

const withoutBos = (text: string) => (text.startsWith(tokens.bos) ? text.slice(tokens.bos.length) : text)
const asks = (messages: readonly Message[]) => messages.at(-1)!.role !== 'assistant'

const jinja = (source: string, messages: readonly Message[]) =>
  compileTemplate(source).render(
    new Map<string, never>(
      Object.entries({
        messages: messages.map(({ role, content }) => new Map(Object.entries({ role, content }))),
        add_generation_prompt: asks(messages),
        bos_token: tokens.bos,
        eos_token: tokens.eos,
      }) as never,
    ),
  )

const go = (source: string, messages: readonly Message[]) =>
  executeGo(source, { Messages: messages.map(({ role, content }) => ({ Role: role, Content: content })) })

test('every template has sources, and there are more than fifty conversations', () => {
  expect(templates.length).toBeGreaterThanOrEqual(14)
  for (const { name, sources } of templates) expect(sources, name).toBeDefined()
  expect(conversations.length).toBeGreaterThanOrEqual(50)
})

describe('text of conversations', () => {
  test('Jinja writes what the template does', () => {
    for (const template of templates)
      for (const messages of conversations) {
        const where = `${template.name} ${JSON.stringify(messages)}`
        const text = expected(template, messages)
        expect(jinja(template.sources!.jinja(true), messages), where).toBe(text)
        expect(jinja(template.sources!.jinja(false), messages), where).toBe(withoutBos(text))
      }
  })

  test('Go writes what the template does, but for blanks that the template trims', () => {
    for (const template of templates) {
      const trims = template.sources!.jinja(true).includes('| trim')
      for (const messages of conversations) {
        if (trims && messages.some(({ content }) => content !== content.trim())) continue
        const where = `${template.name} ${JSON.stringify(messages)}`
        const text = expected(template, messages)
        expect(go(template.sources!.go(tokens, true)!, messages), where).toBe(text)
        expect(go(template.sources!.go(tokens, false)!, messages), where).toBe(withoutBos(text))
      }
    }
  })
})

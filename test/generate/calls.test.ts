// Answers that a model of random weights is held to write as calls, read back by the parser of the same form.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { plugin as constraints } from '@ift/constraints'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { callConstraintFor, toolParserFor } from '../../packages/serve/src/tools/parsers.fixture.js'
import { quickstart } from '../fixture/files.js'
import { quickstartConfig } from '../fixture/quickstart.js'
import { sessionsIn } from '../fixture/session.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-calls-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})
const weights = quickstart('model')
const config = {
  ...quickstartConfig,
  weights,
  initialize: true,
  device: 'cpu',
  threads: 2,
  output: 'unused',
} as const

const schema = {
  type: 'object',
  properties: { city: { enum: ['Bern', 'Zürich "HB"'] }, days: { type: 'integer', minimum: 1, maximum: 9 } },
  required: ['city', 'days'],
  additionalProperties: false,
}
const functions = [
  { name: 'get_weather', parameters: schema },
  { name: 'f', parameters: { type: 'object', properties: {}, additionalProperties: false } },
]
const templates = [
  { name: 'alpaca', source: null },
  { name: 'glm4', source: null },
  { name: 'chat', source: `'<tool_call>\\n{"name": "'` },
  { name: 'chat', source: `ipython '{"name": "' '"parameters": '` },
]

test('calls of every form that a grammar says', async () => {
  await sessionsIn(dir, [cpu, llama, constraints])({ ...config }, async (ift) => {
    const generator = await ift.createGenerator()
    for (const template of templates)
      for (const several of [false, true]) {
        const constraint = callConstraintFor(template, functions, several)!
        const options = { maxNewTokens: 300, doSample: true, temperature: 2, constraint }
        for (const seed of [1, 2]) {
          const { text, finish } = await generator.generate('Hi', { ...options, seed })
          const parser = toolParserFor(template, { tools: true, functions })
          const events = [...parser.feed(text), ...parser.end()]
          expect(
            events.filter(({ kind }) => kind === 'content'),
            text,
          ).toEqual([])
          const calls: { name: string; text: string }[] = []
          for (const event of events)
            if (event.kind === 'call') calls.push({ name: event.name, text: '' })
            else if (event.kind === 'arguments') calls[event.index]!.text += event.text
          expect(calls.length, text).toBeGreaterThan(0)
          if (finish === 'length') continue
          if (!several) expect(calls).toHaveLength(1)
          for (const { name, text: args } of calls) {
            const value = JSON.parse(args) as { city: string; days: number }
            if (name === 'f') expect(value).toEqual({})
            else
              expect([schema.properties.city.enum.includes(value.city), value.days > 0]).toEqual([true, true])
          }
        }
      }
  })
})

test('forms that are no text for a grammar', () => {
  expect(callConstraintFor({ name: 'moss', source: null }, functions, false)).toBeNull()
  expect(callConstraintFor({ name: 'chat', source: '[TOOL_CALLS] [ARGS]' }, functions, false)).toBeNull()
})

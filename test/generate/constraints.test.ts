// Answers that are held to something, by a model of random weights, which would never say it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { defineConstraint, type GenerateOptions, type IftConfig } from '@ift/core'
import { plugin as constraints } from '@ift/constraints'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { quickstart } from '../fixture/files.js'
import { quickstartConfig } from '../fixture/quickstart.js'
import { sessionsIn } from '../fixture/session.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-constraints-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})
const config: IftConfig = {
  ...quickstartConfig,
  weights: quickstart('model'),
  initialize: true,
  device: 'cpu',
  threads: 2,
  output: 'unused',
}
const session = sessionsIn(dir, [cpu, llama, constraints])

const schema = {
  type: 'object',
  properties: {
    name: { type: 'string', maxLength: 8, pattern: '^[a-zé中 "]*$' },
    age: { type: 'integer', minimum: 0, maximum: 150 },
    tags: { type: 'array', items: { enum: ['red', 'blue'] }, maxItems: 2 },
  },
  required: ['name', 'age', 'tags'],
  additionalProperties: false,
}

const answers = (asked: readonly GenerateOptions[], more: Partial<IftConfig> = {}) =>
  session({ ...config, ...more }, async (ift) => {
    const generator = await ift.createGenerator()
    const prompts = asked.map(() => ({ instruction: 'Hi', input: '' }))
    return generator.generateAll(prompts, asked)
  })

test('an answer is what it is held to, alone and beside others', async () => {
  const sampled = { maxNewTokens: 300, doSample: true, temperature: 3 }
  const asked: GenerateOptions[] = [
    { maxNewTokens: 300, constraint: { schema } },
    ...[1, 2, 3].map((seed) => ({ ...sampled, seed, constraint: { schema } })),
    { ...sampled, topK: 5, constraint: { regex: '(red|green){1,3}' } },
    { ...sampled, topP: 0.5, constraint: { regex: '[0-9]{4}-[0-9]{2}' } },
    { maxNewTokens: 300, constraint: { choices: ['yes', 'no', 'où 中\n"x"'] } },
    { ...sampled, constraint: { choices: ['yes', 'no', 'où 中\n"x"'] } },
    { maxNewTokens: 300, constraint: { lark: 'start: "(" start ")" | "x"' }, logprobs: 2 },
    { maxNewTokens: 4 },
  ]
  const all = await answers(asked)
  for (const { text, finish } of all.slice(0, 4)) {
    const { name, age, tags } = JSON.parse(text) as { name: string; age: number; tags: string[] }
    expect(name).toMatch(/^[a-zé中 "]{0,8}$/u)
    expect(Number.isInteger(age) && age >= 0 && age <= 150).toBe(true)
    expect(['red', 'blue']).toEqual(expect.arrayContaining(tags))
    expect(finish).toBe('eos')
  }
  expect(all[4]!.text).toMatch(/^(red|green){1,3}$/)
  expect(all[5]!.text).toMatch(/^[0-9]{4}-[0-9]{2}$/)
  for (const { text } of all.slice(6, 8)) expect(['yes', 'no', 'où 中\n"x"']).toContain(text)
  const { text, logprobs, ids } = all[8]!
  const depth = text.indexOf('x')
  expect(text).toBe(`${'('.repeat(depth)}x${')'.repeat(depth)}`)
  expect(logprobs!.map(({ id }) => id)).toEqual([...ids])
  expect(all[9]!.ids).toHaveLength(4)
  expect((await answers([asked[9]!, asked[1]!]))[1]!.ids).toEqual(all[1]!.ids)
})

test('what cannot be held to is refused with the reason, and ends no other request', async () => {
  const refused = async (options: Partial<GenerateOptions>) => answers([{ maxNewTokens: 4, ...options }])
  for (const [constraint, message] of [
    [{ schema: { type: 'thing' } }, /constraint\.schema cannot be held to: .*thing/],
    [{ schema: 'x' }, /constraint\.schema expected a JSON schema .*, found "x"/],
    [{ regex: '(a' }, /constraint\.regex cannot be held to/],
    [{ regex: 'a'.repeat(2 ** 20 + 1) }, /1,048,576 characters at most, found 1,048,577 characters/],
    [{ choices: [] }, /constraint\.choices expected texts, from one to 10,000, .* found \[\]/],
    [{ choices: ['a', ''] }, /constraint\.choices expected/],
    [{ lark: 'start: nothing' }, /constraint\.lark cannot be held to/],
    [{}, /constraint expected one kind, found none/],
    [{ regex: 'a', choices: ['a'] }, /constraint expected one kind, found regex, choices/],
  ] as const)
    await expect(refused({ constraint }), JSON.stringify(constraint).slice(0, 60)).rejects.toThrow(message)
  await expect(refused({ constraint: { sql: 'x' } })).rejects.toMatchObject({ code: 'IFT_PLUGIN_NOT_FOUND' })
  await expect(refused({ numBeams: 2, constraint: { regex: 'a' } })).rejects.toThrow(
    /numBeams must be 1 with/,
  )
  await session(config, async (ift) => {
    const generator = await ift.createGenerator()
    const prompt = { instruction: 'Hi', input: '' }
    const [bad, good] = await Promise.allSettled([
      // No word of it is as long.
      generator.generate(prompt, { maxNewTokens: 9, minNewTokens: 9, constraint: { choices: ['a'] } }),
      generator.generate(prompt, { maxNewTokens: 5 }),
    ])
    expect(bad).toMatchObject({ status: 'fulfilled', value: { text: 'a' } })
    expect(good).toMatchObject({ status: 'fulfilled' })
  })
})

test('a config names a kind that another package brings; one that nobody brings is an error with those there are', async () => {
  const only = defineConstraint({
    name: 'only',
    for: ({ size }) =>
      Promise.resolve((value: unknown) => {
        const mask = new Uint32Array(Math.ceil(size / 32))
        mask[Number(value) >>> 5] = (1 << (Number(value) & 31)) >>> 0
        const state = { mask: () => mask, accept: () => undefined, ended: false }
        return Promise.resolve({ begin: () => state })
      }),
  })
  const held = (generate: NonNullable<IftConfig['generate']>) =>
    sessionsIn(dir, [cpu, llama, constraints, only])({ ...config, generate }, async (ift) => {
      const generator = await ift.createGenerator()
      return generator.generate({ instruction: 'Hi', input: '' }, ift.config.generate)
    })
  const { ids } = await held({ maxNewTokens: 3, constraint: { only: 7 } })
  expect([...ids]).toEqual([7, 7, 7])
  await expect(held({ constraint: { onyl: 7 } })).rejects.toMatchObject({
    code: 'IFT_PLUGIN_NOT_FOUND',
    hint: expect.stringContaining('only') as unknown,
  })
})

import { expect, test } from 'vitest'
import type { IftPlugin, ModelDefinition, PeftMethod } from '@ift/core'
import { defaultTargets, isNamed } from '@ift/core/model'
import { modelsOf } from '@ift/core/testing'
import { lora } from '@ift/peft-lora'
import { Linear } from '@ift/tensor'
import { publishedSizes } from '../../scripts/docs/models.mjs'
import { readObject, root } from '../fixture/files.js'
import { allDefinitions } from '../fixture/models.js'

const example = `${root}examples/plugin-model`
const [gpt2] = modelsOf(((await import(`${example}/src/index.ts`)) as { plugin: IftPlugin }).plugin)
const definitions = await allDefinitions()

/** Every published size, and the example of a third party. */
const models = [
  ...publishedSizes(definitions),
  { size: 'gpt2', definition: gpt2!, json: readObject(`${example}/fixtures/gpt2-tiny/config.json`) },
].map(({ size, definition, json }) => ({ size, definition, config: definition.parseConfig(json) as unknown }))

/** Roles that methods adapt; the names are PEFT's. */
const methods: readonly Pick<PeftMethod, 'name' | 'targetRoles'>[] = [
  lora,
  { name: 'adalora', targetRoles: ['query', 'value'] },
  { name: 'ia3', targetRoles: ['key', 'value', 'feedForwardOut'] },
]

const targetsOf = (method: string, definition: ModelDefinition, config: unknown) =>
  defaultTargets(
    methods.find(({ name }) => name === method)!,
    {
      definition,
      roles: definition.roles(config),
    },
  )

const queryAndValue = ['q_proj', 'v_proj']
const feedForward = [...queryAndValue, 'down_proj']

/** What PEFT 0.21.2 adapts by default, by model_type. */
const peft: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  lora: {
    gpt2: ['c_attn'],
    llama: queryAndValue,
    mistral: queryAndValue,
    bloom: ['query_key_value'],
    chatglm: ['query_key_value'],
    gptj: queryAndValue,
    codegen: ['qkv_proj'],
    qwen2: queryAndValue,
    qwen3: queryAndValue,
    gemma: queryAndValue,
    gemma3_text: queryAndValue,
  },
  adalora: {
    gpt2: ['c_attn'],
    llama: queryAndValue,
    bloom: ['query_key_value'],
    gptj: queryAndValue,
    qwen2: queryAndValue,
    qwen3: queryAndValue,
    gemma: queryAndValue,
    gemma3_text: queryAndValue,
  },
  ia3: {
    gpt2: ['c_attn', 'mlp.c_proj'],
    llama: ['k_proj', 'v_proj', 'down_proj'],
    mistral: ['k_proj', 'v_proj', 'down_proj'],
    bloom: ['query_key_value', 'dense_4h_to_h'],
    gptj: [...queryAndValue, 'fc_out'],
    qwen2: feedForward,
    qwen3: feedForward,
    gemma: feedForward,
    gemma3_text: feedForward,
  },
}

const cases = Object.entries(peft).flatMap(([method, targets]) =>
  Object.entries(targets).map(([modelType, expected]) => [method, modelType, expected] as const),
)

test.each(cases)("%s adapts in %s what PEFT's default adapts", (method, modelType, expected) => {
  const sizes = models.filter(({ definition }) => definition.modelTypes.includes(modelType))
  expect(sizes.length).toBeGreaterThan(0)
  for (const { size, definition, config } of sizes)
    expect(targetsOf(method, definition, config), size).toEqual(expected)
})

test.each(models)('$size has linear layers for every method', ({ definition, config }) => {
  const modules = [...definition.build(config).namedModules()]
  for (const { name } of methods)
    for (const target of targetsOf(name, definition, config)) {
      const found = modules.filter(([path]) => isNamed(path, target))
      expect(found.length, target).toBeGreaterThan(0)
      for (const [, module] of found) expect(module).toBeInstanceOf(Linear)
    }
})

test('every exception is one: the roles of the method give other targets', () => {
  for (const { size, definition, config } of models)
    for (const method of Object.keys(definition.targetRoles ?? {})) {
      const without = { ...definition, targetRoles: undefined }
      expect(targetsOf(method, definition, config), `${size} ${method}`).not.toEqual(
        targetsOf(method, without, config),
      )
    }
})

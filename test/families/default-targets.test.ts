import { expect, test } from 'vitest'
import { allDefinitions } from '../fixture/models.js'

const definitions = await allDefinitions()

const queryAndValue = ['q_proj', 'v_proj']
const feedForward = [...queryAndValue, 'down_proj']

/** What PEFT 0.21.2 adapts by default, by model_type. */
const peft: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  lora: {
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
    llama: queryAndValue,
    bloom: ['query_key_value'],
    gptj: queryAndValue,
    qwen2: queryAndValue,
    qwen3: queryAndValue,
    gemma: queryAndValue,
    gemma3_text: queryAndValue,
  },
  ia3: {
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
  const definition = definitions.find(({ modelTypes }) => modelTypes.includes(modelType))!
  expect(definition.targetModules[method]).toEqual(expected)
})

test.each(definitions.map((definition) => [definition.name, definition] as const))(
  '%s has targets for every method that needs them',
  (_, { targetModules }) => {
    expect(Object.keys(targetModules).sort()).toEqual(Object.keys(peft).sort())
  },
)

// Settings that cannot be used: an error names where they come from, the file of an adapter or the options beside it.
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import type { PeftMethod } from '@ift/core'
import { combineAdapters, MemoryAdapter, optionsOf } from '@ift/core/peft'
import { llama } from '@ift/model-llama'
import { adalora } from '@ift/peft-adalora'
import { houlsby } from '@ift/peft-adapters'
import { ia3 } from '@ift/peft-ia3'
import { lora } from '@ift/peft-lora'
import { prefixTuning } from '@ift/peft-ptuning'
import { caseFolder } from '../cases/ift.fixture.js'
import { withSet } from '../fixture/adapter-set.js'
import { withMethod } from '../fixture/method.js'

const path = 'runs/zh/adapter/adapter_model.safetensors'
const adapterOf = (config: Readonly<Record<string, unknown>>) =>
  new MemoryAdapter(path, { config, tensors: new Map() })

const targets = { target_modules: ['q_proj'] }

describe('of the file', () => {
  test.each<[Readonly<Record<string, unknown>>, string, PeftMethod]>([
    [{ peft_type: 'LORA', ...targets, r: 'four' }, 'r: ', lora],
    [{ peft_type: 'LORA', ...targets, of_next_year: { a: 1 } }, 'of_next_year to {"a":1}', lora],
    [{ peft_type: 'LORA', target_modules: '(((' }, 'target_modules has "((("', lora],
    [{ peft_type: 'LORA', ...targets, init_lora_weights: 'corda' }, 'init_lora_weights "corda"', lora],
    [{ peft_type: 'ADALORA', ...targets, of_next_year: 5 }, 'of_next_year to 5', adalora],
    [{ peft_type: 'IA3', ...targets, of_next_year: 'on' }, 'of_next_year to "on"', ia3],
    [{ peft_type: 'PREFIX_TUNING', num_virtual_tokens: -2 }, 'num_virtual_tokens: ', prefixTuning],
    [{ reduction_factor: 16, phm_layer: true }, 'phm_layer to true', houlsby],
  ])('%j', async (config, found, method) => {
    const source = adapterOf(config)
    const error = expect.objectContaining({
      code: 'IFT_ADAPTER_CONFIG',
      message: expect.stringMatching(`^${path}: adapter_config\\.json`) as string,
    }) as Error
    expect(() => optionsOf<unknown>(method, source)).toThrow(error)
    expect(() => optionsOf<unknown>(method, source)).toThrow(found)
    await withSet(async ({ set }) => {
      await expect(set.load('a', { source, method })).rejects.toThrow(error)
    })
    if (!method.combine) return
    const sum = combineAdapters(method, [{ name: 'a', weight: 1, source }], { combination: 'cat' })
    await expect(sum).rejects.toThrow(error)
  })

  const folder = caseFolder('15-modules-to-save-suffix')
  afterAll(() => {
    folder.remove()
  })

  test('on the command line', () => {
    const config = JSON.parse(readFileSync(folder.path('adapter/adapter_config.json'), 'utf8')) as object
    writeFileSync(
      folder.path('adapter/adapter_config.json'),
      JSON.stringify({ ...config, of_next_year: 'on' }),
    )
    const args = ['--weights', 'base', '--adapter', 'adapter', '--input', 'ids.jsonl', '--output', 's.jsonl']
    expect(folder.ift(['score', ...args]).stderr).toMatch(
      /adapter\/\S+: adapter_config\.json sets of_next_year to "on", which lora does not know/,
    )
  })
})

type Options = Readonly<Record<string, unknown>>

describe('that mean nothing on this model', () => {
  // Options, the fields that say them, and what is wrong.
  test.each<[Options, Options, string, string]>([
    [
      { trainableTokenIndices: { wte: [1] } },
      { trainable_token_indices: { wte: [1] } },
      'IFT_PEFT_TARGET',
      'names "wte", which no module of this model ends with',
    ],
    [
      { trainableTokenIndices: [1], modulesToSave: ['embed_tokens'] },
      { trainable_token_indices: [1], modules_to_save: ['embed_tokens'] },
      'IFT_PEFT_TARGET',
      'names "model.embed_tokens", which is trained whole already',
    ],
    [
      { trainableTokenIndices: { embed_tokens: [1], nothing: [2] } },
      { trainable_token_indices: { embed_tokens: [1], nothing: [2] } },
      'IFT_PEFT_TARGET',
      'names "nothing", which no module',
    ],
    [
      { modulesToSave: ['attn'], targetModules: ['q_proj'] },
      { modules_to_save: ['attn'], target_modules: ['q_proj'] },
      'IFT_PEFT_TARGET',
      'trains "model.layers.0.self_attn" whole, and "model.layers.0.self_attn.q_proj" in it is adapted',
    ],
    [{ targetModules: '(((' }, { target_modules: '(((' }, 'IFT_PEFT_TARGET', ': "(((" is not a regular'],
    [
      { rankPattern: { '*': 2 } },
      { rank_pattern: { '*': 2 } },
      'IFT_PEFT_TARGET',
      ': "*" is not a regular expression',
    ],
    [
      { dora: true, targetModules: ['embed_tokens'] },
      { use_dora: true, target_modules: ['embed_tokens'] },
      'IFT_PEFT_OPTIONS',
      'true is for linear layers, and the embedding "model.embed_tokens" is adapted too',
    ],
    [
      { init: 'olora', dora: true },
      { init_lora_weights: 'olora', use_dora: true },
      'IFT_PEFT_OPTIONS',
      'olora cannot be combined with dora',
    ],
    [
      { loraBias: true, dora: true },
      { lora_bias: true, use_dora: true },
      'IFT_PEFT_OPTIONS',
      'true cannot be combined with dora',
    ],
  ])('%j', async (options, fields, code, what) => {
    const on = (config?: Options) =>
      withMethod(lora, llama, 'llama-tiny', options, () => Promise.resolve(), {
        ...(config && { adapter: adapterOf({ peft_type: 'LORA', ...config }) }),
      })
    const [option, field] = [Object.keys(options)[0]!, Object.keys(fields)[0]!]
    const ofRun = { code, message: expect.stringContaining(`peft.${option}`) as string }
    await expect(on()).rejects.toMatchObject(ofRun)
    // Given beside an adapter, whose config has another value or none.
    await expect(on({})).rejects.toMatchObject(ofRun)
    await expect(on({ [field]: 'another' })).rejects.toMatchObject(ofRun)
    await expect(on(fields)).rejects.toMatchObject({
      code: 'IFT_ADAPTER_CONFIG',
      message: expect.stringContaining(`${path}: ${field} of its config`) as string,
    })
    await expect(on(fields)).rejects.toThrow(what)
  })
})

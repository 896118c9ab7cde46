// Settings that cannot be used: an error names where they come from, the file of an adapter or the options beside it.
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import type { PeftMethod } from '@ift/core'
import { combineAdapters, MemoryAdapter, optionsOf } from '@ift/core/peft'
import { llama } from '@ift/model-llama'
import { adalora } from '@ift/peft-adalora'
import { bottleneck, houlsby, parallel, pfeiffer } from '@ift/peft-adapters'
import { ia3 } from '@ift/peft-ia3'
import { lora } from '@ift/peft-lora'
import { trainableTokens } from '@ift/peft-parts'
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

describe('given beside an adapter', () => {
  /** Where the head has ids of its own, one that is tied. */
  const base = (fields: Options) =>
    JSON.stringify(fields).includes('lm_head') ? 'llama-variants/tied-bias' : 'llama-tiny'
  const methods: Readonly<Record<string, PeftMethod>> = {
    lora,
    trainableTokens,
    ia3,
    bottleneck,
    parallel,
    pfeiffer,
  }
  const ofLora = (fields: Options) => ({ peft_type: 'LORA', ...targets, ...fields })
  // The config of the file, the options beside it, and what is wrong: of the options, of both, of the file.
  test.each<[string, Options, Options, string, string]>([
    [
      'lora',
      ofLora({}),
      { targetModules: ['nope'] },
      'IFT_PEFT_TARGET',
      'peft.targetModules matched nothing: ["nope"]',
    ],
    [
      'lora',
      ofLora({}),
      { targetModules: '.*nope' },
      'IFT_PEFT_TARGET',
      'peft.targetModules matched nothing: ".*nope"',
    ],
    [
      'lora',
      ofLora({}),
      { targetModules: ['input_layernorm'] },
      'IFT_PEFT_TARGET',
      'peft.targetModules matches model.layers.0.input_layernorm',
    ],
    [
      'lora',
      ofLora({ target_modules: ['nope'] }),
      { r: 2 },
      'IFT_ADAPTER_CONFIG',
      `${path}: target_modules of its config matched nothing: ["nope"]`,
    ],
    [
      'lora',
      ofLora({}),
      { excludeModules: ['q_proj'] },
      'IFT_PEFT_TARGET',
      'leave out (peft.excludeModules)',
    ],
    ['lora', ofLora({}), { layersToTransform: [9] }, 'IFT_PEFT_TARGET', 'leave out (peft.layersToTransform)'],
    [
      'lora',
      ofLora({ layers_to_transform: 9 }),
      {},
      'IFT_ADAPTER_CONFIG',
      'leave out (layers_to_transform of its config)',
    ],
    [
      'lora',
      ofLora({ layers_to_transform: [9] }),
      { targetModules: ['k_proj'] },
      'IFT_PEFT_TARGET',
      `${path}: peft.targetModules matches`,
    ],
    [
      'lora',
      ofLora({ modules_to_save: ['self_attn'] }),
      {},
      'IFT_ADAPTER_CONFIG',
      'modules_to_save of its config',
    ],
    [
      'lora',
      ofLora({ modules_to_save: ['o_proj'] }),
      { targetModules: ['o_proj'] },
      'IFT_PEFT_TARGET',
      'leave out (modules_to_save of its config)',
    ],
    [
      'lora',
      ofLora({}),
      { trainableTokenIndices: [160] },
      'IFT_PEFT_OPTIONS',
      'peft.trainableTokenIndices has the token id 160',
    ],
    [
      'lora',
      ofLora({ trainable_token_indices: [160] }),
      {},
      'IFT_ADAPTER_CONFIG',
      `${path}: trainable_token_indices of its config has the token id 160`,
    ],
    [
      'lora',
      ofLora({}),
      { trainableTokenIndices: { norm: [1] } },
      'IFT_PEFT_TARGET',
      'peft.trainableTokenIndices means "model.layers.0.input_layernorm"',
    ],
    [
      'lora',
      ofLora({ trainable_token_indices: [1] }),
      { targetModules: ['embed_tokens'] },
      'IFT_PEFT_TARGET',
      `${path}: trainable_token_indices of its config means "model.embed_tokens", which is neither an embedding nor a head with a table of its own: it is adapted (peft.targetModules)`,
    ],
    [
      'lora',
      ofLora({ trainable_token_indices: [1] }),
      { modulesToSave: ['embed_tokens'] },
      'IFT_PEFT_TARGET',
      'which is trained whole already (peft.modulesToSave)',
    ],
    [
      'lora',
      ofLora({ trainable_token_indices: { embed_tokens: [1], lm_head: [2] } }),
      { ensureWeightTying: true },
      'IFT_PEFT_OPTIONS',
      'whose table it reads (peft.ensureWeightTying)',
    ],
    [
      'lora',
      ofLora({ use_dora: true }),
      { init: 'pissa' },
      'IFT_PEFT_OPTIONS',
      `${path}: peft.init pissa cannot be combined with dora: true (use_dora of its config)`,
    ],
    [
      'lora',
      ofLora({ use_dora: true }),
      { targetModules: ['embed_tokens'] },
      'IFT_PEFT_OPTIONS',
      `${path}: use_dora of its config true is for linear layers, and the embedding "model.embed_tokens" is adapted too (peft.targetModules)`,
    ],
    [
      'trainableTokens',
      { token_indices: [1] },
      { tokenIndices: [1, 160] },
      'IFT_PEFT_OPTIONS',
      'peft.tokenIndices has the token id 160',
    ],
    [
      'trainableTokens',
      { token_indices: [1] },
      { tokenIndices: [3, 3] },
      'IFT_PEFT_OPTIONS',
      'peft.tokenIndices has the token id 3 twice',
    ],
    [
      'trainableTokens',
      { token_indices: [1] },
      { targetModules: ['nope'] },
      'IFT_PEFT_TARGET',
      'peft.targetModules matched nothing',
    ],
    [
      'trainableTokens',
      { token_indices: [160] },
      {},
      'IFT_ADAPTER_CONFIG',
      `${path}: token_indices of its config has the token id 160`,
    ],
    [
      'ia3',
      { target_modules: ['k_proj', 'down_proj'], feedforward_modules: ['down_proj'] },
      { targetModules: ['k_proj'] },
      'IFT_PEFT_OPTIONS',
      `${path}: feedforward_modules of its config names "down_proj", which is not in peft.targetModules (k_proj)`,
    ],
    [
      'ia3',
      { target_modules: ['k_proj'], feedforward_modules: ['down_proj'] },
      {},
      'IFT_ADAPTER_CONFIG',
      'which is not in target_modules of its config (k_proj)',
    ],
    ['ia3', targets, { feedforwardModules: '(((' }, 'IFT_PEFT_OPTIONS', 'peft.feedforwardModules: "((("'],
    [
      'bottleneck',
      { ...targets, use_parallel_adapter: true },
      { useParallelAdapter: false },
      'IFT_PEFT_TARGET',
      'a bottleneck that is not parallel (peft.useParallelAdapter)',
    ],
    [
      'bottleneck',
      {},
      { targetModules: ['q_proj'] },
      'IFT_PEFT_TARGET',
      'peft.targetModules matches "model.layers.0.self_attn.q_proj"',
    ],
    [
      'bottleneck',
      targets,
      {},
      'IFT_ADAPTER_CONFIG',
      `${path}: target_modules of its config matches "model.layers.0.self_attn.q_proj"`,
    ],
    [
      'parallel',
      { output_adapter: false },
      {},
      'IFT_ADAPTER_CONFIG',
      `${path}: mh_adapter of its config and output_adapter of its config are both false`,
    ],
    [
      'parallel',
      { output_adapter: true },
      { outputAdapter: false },
      'IFT_PEFT_OPTIONS',
      `${path}: mh_adapter of its config and peft.outputAdapter are both false`,
    ],
    [
      'pfeiffer',
      { leave_out: [0, 1, 2] },
      {},
      'IFT_ADAPTER_CONFIG',
      `${path}: leave_out of its config names all 3 layers`,
    ],
    [
      'pfeiffer',
      { leave_out: [0] },
      { leaveOut: [0, 1, 2] },
      'IFT_PEFT_OPTIONS',
      'peft.leaveOut names all 3 layers',
    ],
  ])('%s: %j, %j', async (name, fields, beside, code, what) => {
    const method = methods[name]!
    const adapter = adapterOf(fields)
    const options = { ...optionsOf<object>(method, adapter), ...beside }
    const run = withMethod(method, llama, base(fields), options, () => Promise.resolve(), { adapter })
    await expect(run).rejects.toMatchObject({ code, message: expect.stringContaining(what) as string })
    if (what.startsWith('peft.'))
      await expect(run).rejects.toThrow(new RegExp(`^${what.split(' ')[0]!.replace('.', '\\.')} `))
  })

  const folder = caseFolder('15-modules-to-save-suffix')
  afterAll(() => {
    folder.remove()
  })

  test.each([
    ['targetModules', '["nope"]', /^.*peft\.targetModules matched nothing: \["nope"\]/m],
    ['trainableTokenIndices', '[99999]', /^.*peft\.trainableTokenIndices has the token id 99999/m],
    ['excludeModules', '["q_proj","v_proj"]', /leave out \(peft\.excludeModules\)/],
  ])('on the command line: %s', (option, value, said) => {
    writeFileSync(folder.path('rows.jsonl'), '{"instruction":"a","output":"b"}')
    const args = ['--weights', 'base', '--adapter', 'adapter', '--data', 'rows.jsonl', '--template', 'plain']
    const { stderr } = folder.ift(['train', ...args, '--output', 'run', `--peft.${option}`, value])
    expect(stderr).toMatch(said)
    expect(stderr).not.toContain('IFT_ADAPTER_CONFIG')
  })
})

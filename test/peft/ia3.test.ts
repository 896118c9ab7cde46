import { describe, expect, test } from 'vitest'
import { openAdapter } from '@ift/core'
import { ia3 } from '@ift/peft-ia3'
import { fixture } from '../fixture/files.js'
import { withMethod } from '../fixture/method.js'
import { allDefinitions, definitionOf } from '../fixture/models.js'
import { expectParity } from '../fixture/peft-parity.js'

const definitions = await allDefinitions()

/** What it makes of options on a model. */
const attached = (base: string, options: unknown, use: Parameters<typeof withMethod>[4]) =>
  withMethod(ia3, definitionOf(definitions, base), base, options, use)

expectParity(ia3, 'peft-ia3', [
  'llama',
  'biases',
  'bloom',
  'gptj',
  'codegen',
  'qwen3',
  'gemma3',
  'endings',
  'regex',
  'outputs-only',
  'modules-to-save',
])

describe('without targets in the config', () => {
  test.each(['llama', 'bloom', 'gptj', 'qwen3', 'gemma3'])(
    '%s is adapted where PEFT adapts it',
    async (name) => {
      const adapter = await openAdapter(fixture('peft-ia3', name))
      await attached(String(adapter.config['base_model_name_or_path']), {}, async ({ peft }) => {
        const { config, tensors } = await peft.save()
        expect([...tensors.keys()].sort()).toEqual([...adapter.names()].sort())
        for (const [key, { shape }] of tensors) expect(shape, key).toEqual(adapter.shape(key))
        // PEFT has the last parts of the names too, or more of them.
        const ends = (names: unknown) => (names as string[]).map((one) => one.split('.').at(-1)).sort()
        for (const field of ['target_modules', 'feedforward_modules'])
          expect(ends(config[field])).toEqual(ends(adapter.config[field]))
      })
    },
  )
})

test('layers chosen in a way that PEFT has no field for are written by their names', async () => {
  const options = { layersToTransform: [1], excludeModules: ['k_proj'] }
  await attached('llama-tiny', options, async ({ peft }) => {
    const { config, tensors } = await peft.save()
    expect(config['target_modules']).toEqual([
      'model.layers.1.mlp.down_proj',
      'model.layers.1.self_attn.v_proj',
    ])
    // A list of PEFT's has to be part of that of the targets.
    const feedforward = String.raw`model\.layers\.1\.mlp\.down_proj`
    expect(config).toMatchObject({ feedforward_modules: feedforward, exclude_modules: ['k_proj'] })
    expect(config).not.toHaveProperty('layers_to_transform')
    expect(tensors.size).toBe(2)
  })
})

test('names of feed-forward layers that are not adapted are not written: PEFT would not load them', async () => {
  await attached('llama-tiny', { targetModules: ['k_proj'] }, async ({ peft }) => {
    expect((await peft.save()).config['feedforward_modules']).toEqual([])
  })
})

test.each([
  [
    { targetModules: ['k_proj'], feedforwardModules: ['down_proj'] },
    'IFT_PEFT_OPTIONS',
    /feedforwardModules names "down_proj", which is not in peft\.targetModules \(k_proj\)/,
  ],
  [{ feedforwardModules: '(((' }, 'IFT_PEFT_OPTIONS', /feedforwardModules: "\(\(\(" is not a regular/],
  [{ targetModules: ['input_layernorm'] }, 'IFT_PEFT_TARGET', /which is not a linear layer, as ia3 takes/],
  [{ targetModules: ['embed_tokens'] }, 'IFT_PEFT_TARGET', /which is not a linear layer, as ia3 takes/],
])('%j is refused', async (options, code, message) => {
  await expect(attached('llama-tiny', options, () => Promise.resolve())).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message) as string,
  })
})

test.each([
  [{ ia3_of_next_year: true }, /sets ia3_of_next_year to true, which ia3 does not know/],
  [{ feedforward_modules: 3 }, /feedforward_modules/],
])('adapter_config.json with %j is refused', (fields, message) => {
  expect(() => ia3.fromAdapterConfig({ peft_type: 'IA3', target_modules: ['k_proj'], ...fields })).toThrow(
    expect.objectContaining({
      code: 'IFT_ADAPTER_CONFIG',
      message: expect.stringMatching(message) as string,
    }),
  )
})

import { existsSync, readFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { tinyCase } from '../cases/ift.fixture.js'

// Bottleneck adapters by the flags that Alpaca-CoT's trainer and LLM-Adapters have for them: the options of the vendored BottleneckConfig.

const folder = tinyCase('adapters-command')
afterAll(() => {
  folder.remove()
})

const train = (output: string, ...flags: string[]) =>
  folder.ift([
    ...['train', '--model_type', 'bloom', '--model_name_or_path', './m', '--data', './d.jsonl'],
    ...['--template', 'plain', '--train.maxSteps', '2', '--device', 'cpu', '--val_set_size', '0'],
    ...['--output_dir', output, '--peft_type', ...flags],
  ])

const configOf = (output: string) =>
  JSON.parse(readFileSync(folder.path(output, 'adapter/adapter_config.json'), 'utf8')) as Record<
    string,
    unknown
  >

test.each<[string, string[], Record<string, unknown>]>([
  [
    'around the feed-forward',
    ['--bottleneck_size', '8', '--non_linearity', 'relu', '--adapter_dropout', '0.1', '--scaling', 'learned'],
    {
      bottleneck_size: 8,
      non_linearity: 'relu',
      adapter_dropout: 0.1,
      scaling: 'learned',
      target_modules: ['dense_h_to_4h', 'dense_4h_to_h'],
      use_adapterp: false,
      use_parallel_adapter: false,
    },
  ],
  [
    'behind it',
    ['--use_adapterp', '--bottleneck_size', '8'],
    { non_linearity: 'tanh', scaling: 1, target_modules: ['dense_4h_to_h'], use_adapterp: true },
  ],
  [
    'beside attention',
    ['--use_parallel_adapter', 'True', '--scaling', '2.5'],
    { bottleneck_size: 256, scaling: 2.5, target_modules: ['query_key_value'], use_parallel_adapter: true },
  ],
])('%s', (name, flags, config) => {
  const output = name.replaceAll(' ', '-')
  const { code, stderr } = train(output, 'bottleneck', ...flags)
  expect(code, stderr).toBe(0)
  expect(stderr).toContain('The adapter will not be one to merge: The method has no form inside the weights.')
  expect(configOf(output)).toMatchObject({ peft_type: 'BOTTLENECK', ...config })
  const answer = folder.ift([
    'generate',
    'say 3',
    '--adapter',
    `${output}/adapter`,
    '--device',
    'cpu',
    '--max_new_tokens',
    '4',
  ])
  expect(answer.code, answer.stderr).toBe(0)
  const merged = folder.ift(['merge', 'merged', '--adapter', `${output}/adapter`, '--device', 'cpu'])
  expect(merged.code).toBe(1)
  expect(merged.stderr).toContain('IFT_MERGE_IMPOSSIBLE')
})

test("houlsby's folder is AdapterHub's, and training goes on from it", () => {
  const { code, stderr } = train('hub', 'houlsby', '--peft.reductionFactor', '4')
  expect(code, stderr).toBe(0)
  expect(existsSync(folder.path('hub/adapter/adapter.safetensors'))).toBe(true)
  expect(configOf('hub')).toEqual({
    config: expect.objectContaining({
      mh_adapter: true,
      output_adapter: true,
      non_linearity: 'swish',
      reduction_factor: 4,
    }) as object,
    hidden_size: 16,
    model_name: './m',
    name: 'ift',
    version: 'adapters.1.3.0',
  })
  const again = folder.ift([
    ...[
      'train',
      '--adapter',
      'hub/adapter',
      '--data',
      './d.jsonl',
      '--train.maxSteps',
      '1',
      '--device',
      'cpu',
    ],
    ...['--validation.size', '0', '--output', 'again'],
  ])
  expect(again.code, again.stderr).toBe(0)
  expect({ ...configOf('again'), model_name: './m' }).toEqual(configOf('hub'))
})

test.each<[string, string[], RegExp]>([
  ['an option of another method', ['houlsby', '--lora_r', '8'], /peft\.r/],
  ['an unknown function', ['bottleneck', '--non_linearity', 'swiglu'], /peft\.nonLinearity/],
  [
    'both places',
    ['bottleneck', '--use_adapterp', '--use_parallel_adapter'],
    /useParallelAdapter and peft\.useAdapterP/,
  ],
  [
    'a layer without a place',
    ['bottleneck', '--target_modules', 'query_key_value'],
    /expects dense_h_to_4h, dense_4h_to_h/,
  ],
])('%s is refused before training', (_, flags, message) => {
  const { code, stderr } = train('refused', ...flags)
  expect(code).not.toBe(0)
  expect(stderr).toMatch(message)
  expect(existsSync(folder.path('refused'))).toBe(false)
})

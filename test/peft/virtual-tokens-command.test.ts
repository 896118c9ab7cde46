import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { caseFolder, quickstartModel, root } from '../cases/ift.fixture.js'

// Methods of virtual tokens by the names and flags of the original's trainer, which its default targets for LoRA go with.

const folder = caseFolder('virtual-tokens-command')

beforeAll(() => {
  cpSync(quickstartModel, folder.path('llama-7b-hf'), { recursive: true })
  cpSync(join(root, 'fixtures/bloom/tiny'), folder.path('bloomz-7b1-mt'), { recursive: true })
  mkdirSync(folder.path('data'))
  const records = Array.from({ length: 8 }, (_, i) => ({
    instruction: `say ${i}`,
    input: '',
    output: `number ${i}`,
  }))
  writeFileSync(folder.path('data/alcapa_plus_belle_plus_cot.json'), JSON.stringify(records))
})
afterAll(() => {
  folder.remove()
})

const models = [
  ['llama', 'llama-7b-hf', 'q_proj v_proj'],
  ['bloom', 'bloomz-7b1-mt', 'query_key_value'],
] as const

/** Flags of a line, the method that they mean here, and what its adapter says. */
const lines = [
  ['prompt', '', 'prompt-tuning', { peft_type: 'PROMPT_TUNING', num_virtual_tokens: 20 }],
  [
    'p_tuning',
    '--num_virtual_tokens 8',
    'p-tuning',
    { peft_type: 'P_TUNING', num_virtual_tokens: 8, encoder_hidden_size: 128 },
  ],
  [
    'prefix',
    '--prompt_encoder_hidden_size 64',
    'prefix-tuning',
    { peft_type: 'PREFIX_TUNING', num_virtual_tokens: 20, encoder_hidden_size: 64, prefix_projection: true },
  ],
] as const

describe.each(models)('%s', (type, model, targets) => {
  test.each(lines)(
    '--peft_type %s %s',
    (name, flags, method, fields) => {
      const run = (...args: string[]) => {
        const { code, stdout, stderr } = folder.ift(args, { env: { IFT_DEVICE: 'cpu' }, input: 'say 3\n' })
        expect(code, `${stderr}${stdout}`).toBe(0)
        return { stdout, stderr }
      }
      const line = `--model_type ${type} --model_name_or_path ./${model} --data alpaca-belle-cot`
      const trained = run(
        'train',
        ...`${line} --peft_type ${name} ${flags} --lora_target_modules ${targets} --epochs 1`
          .split(' ')
          .filter(Boolean),
      )
      expect(trained.stderr).toContain(`--lora_target_modules is not needed: --peft_type ${name}`)
      const adapter = `ift-runs/${model}-alpaca-belle-cot-${method}/adapter`
      const config = JSON.parse(
        readFileSync(folder.path(adapter, 'adapter_config.json'), 'utf8'),
      ) as Readonly<Record<string, unknown>>
      expect(config).toMatchObject(fields)
      const answers = run(
        'generate',
        ...`--model_type ${type} --lora_dir ${adapter} --max_new_tokens 4`.split(' '),
      )
      expect(answers.stdout.length).toBeGreaterThan(0)
    },
    60_000,
  )
})

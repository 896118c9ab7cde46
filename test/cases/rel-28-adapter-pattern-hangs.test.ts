import { writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { caseFolder } from './ift.fixture.js'

const folder = caseFolder('15-modules-to-save-suffix')
afterAll(() => {
  folder.remove()
})

const config = JSON.parse(folder.read('adapter/adapter_config.json')) as Record<string, unknown>

test.each([
  [{ target_modules: '(.*)*(.*)*(.*)*x' }, 'target_modules'],
  [{ target_modules: '(a+)+(.|.)*(.*x)+' }, 'target_modules'],
  [{ target_modules: '(((' }, 'target_modules'],
  [{ target_modules: '(q)_proj\\1' }, 'target_modules'],
  [{ exclude_modules: '[' }, 'exclude_modules'],
  [{ rank_pattern: { '(((': 2 } }, 'rank_pattern'],
  [{ alpha_pattern: { '(((': 2 } }, 'alpha_pattern'],
  [{ layers_to_transform: [0], layers_pattern: '(((' }, 'layers_pattern'],
  [{ alora_invocation_tokens: [1] }, 'alora_invocation_tokens'],
  [{ of_next_year: 'on' }, 'of_next_year'],
])('an adapter with %o ends soon, with an error that names the field', (fields, name) => {
  writeFileSync(folder.path('adapter/adapter_config.json'), JSON.stringify({ ...config, ...fields }))
  const args = ['--weights', 'base', '--adapter', 'adapter', '--input', 'ids.jsonl', '--output', 's.jsonl']
  const { code, stderr } = folder.ift(['score', ...args], { timeout: 20_000 })
  expect(code, stderr).toBe(1)
  expect(stderr).toContain('IFT_ADAPTER_CONFIG')
  expect(stderr).toContain(name)
})

test('the same patterns in the config are refused too', () => {
  writeFileSync(folder.path('rows.jsonl'), '{"instruction": "a", "output": "b"}\n')
  for (const [option, value] of [
    ['--peft.targetModules', '((('],
    ['--peft.rankPattern', '{"(((": 2}'],
  ] as const) {
    const args = ['--weights', 'base', '--data', 'rows.jsonl', '--template', 'plain', '--output', 'out']
    const { code, stderr } = folder.ift(['train', ...args, '--peft.method', 'lora', option, value])
    expect(code, stderr).toBe(2)
    expect(stderr).toContain('IFT_PEFT_TARGET')
    expect(stderr).toContain(option.slice(2))
  }
})

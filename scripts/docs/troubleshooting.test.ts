import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  caseFolder,
  quickstartModel,
  root,
  rows as alpacaRows,
  type CaseFolder,
} from '../../test/cases/ift.fixture.js'
import { cells } from './markdown.mjs'

// The symptoms of docs/troubleshooting.md, brought about by the built command line: the code that the page names is what comes, and
// what it says to type helps.

const page = readFileSync(join(root, 'docs/troubleshooting.md'), 'utf8')
const model = ['--weights', './model', '--template', 'alpaca', '--device', 'cpu']
const rows = [...model, '--data', 'rows.jsonl']

interface Symptom {
  readonly code: string
  /** The command line that brings it about. */
  readonly wrong: readonly string[]
  /** What stands in the message. */
  readonly says?: RegExp
  /** The same with what the page says to type; it ends well. */
  readonly right?: readonly string[]
}

const symptoms: readonly Symptom[] = [
  { code: 'IFT_USAGE', wrong: ['plan', ...rows, '--train.epoch', '2'], says: /--train\.epochs/ },
  { code: 'IFT_CONFIG_SYNTAX', wrong: ['plan', '-c', 'broken/ift.config.json'] },
  {
    code: 'IFT_CONFIG_INVALID',
    wrong: ['plan', '--data', 'rows.jsonl'],
    says: /No model is named/,
    right: ['plan', ...rows],
  },
  { code: 'IFT_CONFIG_INVALID', wrong: ['plan', '-c', 'misspelt/ift.config.json'], says: /"tran".*"train"/ },
  {
    code: 'IFT_PLUGIN_NOT_FOUND',
    wrong: ['plan', ...model, '--data', 'nowhere'],
    says: /No dataset plugin provides/,
  },
  { code: 'IFT_SOURCE_NOT_FOUND', wrong: ['plan', '--weights', './nothing', '--data', 'rows.jsonl'] },
  { code: 'IFT_SOURCE_SPEC', wrong: ['plan', '--weights', 'model-7b', '--data', 'rows.jsonl'] },
  { code: 'IFT_SOURCE_OFFLINE', wrong: ['plan', '--weights', 'org/name', '--data', 'rows.jsonl'] },
  { code: 'IFT_MODEL_UNKNOWN', wrong: ['plan', '--weights', './unknown', '--data', 'rows.jsonl'] },
  { code: 'IFT_WEIGHTS_MISSING', wrong: ['plan', ...rows, '--model', 'qwen'], right: ['plan', ...rows] },
  { code: 'IFT_DATA_SYNTAX', wrong: ['plan', ...model, '--data', 'syntax.jsonl'], says: /syntax\.jsonl:2/ },
  {
    code: 'IFT_DATA_FORMAT',
    wrong: ['plan', ...model, '--data', 'names.jsonl'],
    right: ['plan', '-c', 'columns.json', ...model],
  },
  {
    code: 'IFT_DATA_RECORD',
    wrong: ['plan', ...model, '--data', 'two-forms.jsonl'],
    says: /two-forms\.jsonl:2/,
  },
  {
    code: 'IFT_DATA_ENCODING',
    wrong: ['plan', ...model, '--data', 'gbk.csv'],
    right: ['plan', '-c', 'encoding.json', ...model],
  },
  {
    code: 'IFT_DATA_EMPTY',
    wrong: ['plan', ...rows, '--maxLength', '10'],
    right: ['plan', ...rows, '--maxLength', '400'],
  },
  {
    code: 'IFT_DATA_SPLIT',
    wrong: ['plan', ...rows, '--validation.size', '100'],
    right: ['plan', ...rows, '--validation.size', '0.1'],
  },
  { code: 'IFT_TEMPLATE_MISSING', wrong: ['plan', ...rows, '--template', 'chat'], right: ['plan', ...rows] },
  {
    code: 'IFT_TEMPLATE_TOKEN',
    wrong: ['plan', ...rows, '--template', 'chatml'],
    says: /writes the special token/,
  },
  {
    code: 'IFT_RUN_EXISTS',
    wrong: ['train', ...rows, '--output', 'run'],
    right: ['train', ...rows, '--train.maxSteps', '1', '--output', 'another-run'],
  },
  { code: 'IFT_RESUME_NOTHING', wrong: ['train', ...rows, '--output', 'no-run', '--resume'] },
  {
    code: 'IFT_RESUME_CONFIG',
    wrong: ['train', ...rows, '--output', 'run', '--resume', '--train.learningRate', '1e-3'],
    says: /learningRate/,
  },
  {
    code: 'IFT_PEFT_TARGET',
    wrong: ['plan', ...rows, '--peft.method', 'lora', '--peft.targetModules', 'query'],
    right: ['plan', ...rows, '--peft.method', 'lora', '--peft.targetModules', 'all-linear'],
  },
  {
    code: 'IFT_FILE_NOT_FOUND',
    wrong: ['generate', 'x', '--weights', './run/adapter'],
    says: /It holds an adapter/,
  },
  {
    code: 'IFT_ADAPTER_NOT_FOUND',
    wrong: ['generate', 'x', ...model, '--adapter', 'run'],
    right: ['generate', 'x', ...model, '--adapter', 'run/adapter', '--generate.maxNewTokens', '4'],
  },
  {
    code: 'IFT_MERGE_NOTHING',
    wrong: ['merge', 'merged', ...model],
    right: ['merge', 'merged', ...model, '--adapter', 'run/adapter'],
  },
  {
    code: 'IFT_FOLDER_IN_USE',
    wrong: ['predict', ...model, '--input', 'rows.jsonl', '--output', 'rows.jsonl'],
  },
]

let folder: CaseFolder
const ift = (args: readonly string[]) =>
  folder.ift(args, { env: { HF_HUB_OFFLINE: '1', HF_HOME: folder.path('hub') } })

beforeAll(() => {
  folder = caseFolder('troubleshooting')
  cpSync(quickstartModel, folder.path('model'), { recursive: true })
  for (const name of ['broken', 'misspelt', 'unknown']) mkdirSync(folder.path(name))
  const [row] = alpacaRows(1).split('\n')
  const config = JSON.parse(readFileSync(folder.path('model/config.json'), 'utf8')) as object
  const files: Record<string, string | Buffer> = {
    'rows.jsonl': alpacaRows(20),
    'syntax.jsonl': `${row!}\n{"instruction": "a" "output": "b"}\n`,
    'names.jsonl': '{"frage": "a", "antwort": "b"}\n',
    'columns.json': JSON.stringify({
      data: { path: 'names.jsonl', columns: { instruction: 'frage', output: 'antwort' } },
    }),
    'two-forms.jsonl': `${row!}\n{"messages": [{"role": "user", "content": "a"}]}\n`,
    'gbk.csv': Buffer.concat([
      Buffer.from('instruction,output\n'),
      Buffer.from([0xc4, 0xe3, 0xba, 0xc3]),
      Buffer.from(',b\n'),
    ]),
    'encoding.json': JSON.stringify({ data: { path: 'gbk.csv', encoding: 'gb18030' } }),
    'broken/ift.config.json': '{ "weights": ',
    'misspelt/ift.config.json': '{ "tran": {} }',
    'unknown/config.json': JSON.stringify({
      ...config,
      architectures: ['MambaForCausalLM'],
      model_type: 'mamba',
    }),
  }
  cpSync(folder.path('model/model.safetensors'), folder.path('unknown/model.safetensors'))
  for (const [name, content] of Object.entries(files)) writeFileSync(folder.path(name), content)
  folder.output('train', ...rows, '--train.maxSteps', '1', '--output', 'run')
}, 60_000)
afterAll(() => {
  folder.remove()
})

test.each(symptoms.map((one) => [`${one.code}: ift ${one.wrong.join(' ')}`, one] as const))(
  '%s',
  (_, symptom) => {
    const { code, wrong, says, right } = symptom
    expect(page).toContain(`\`${code}\``)
    const failed = ift(wrong)
    expect(failed.code, failed.stderr).not.toBe(0)
    expect(failed.stderr).toMatch(new RegExp(`^${code}$`, 'm'))
    if (says) expect(failed.stderr).toMatch(says)
    if (!right) return
    const helped = ift(right)
    expect(helped.code, helped.stderr).toBe(0)
  },
)

test('every row says what to type', () => {
  const table = cells(page).filter(([symptom]) => symptom !== 'you see')
  expect(table.length).toBeGreaterThan(40)
  for (const row of table) {
    expect(row).toHaveLength(3)
    for (const cell of row) expect(cell, row[0]).not.toBe('')
  }
})

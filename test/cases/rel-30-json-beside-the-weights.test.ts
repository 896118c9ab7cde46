import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tinyCase, tinyRun, type CaseFolder } from './ift.fixture.js'

// Files that are JSON, and not what they should be. None is taken for one that is absent, and none is "a fault of ift".

let folder: CaseFolder
beforeAll(() => {
  folder = tinyCase('rel-30')
  const { code, stderr } = folder.ift(tinyRun('run', 2, '--train.saveEvery', '1'))
  expect(code, stderr).toBe(0)
  writeFileSync(folder.path('rows.jsonl'), '{"text": "a"}\n')
})
afterAll(() => {
  folder.remove()
})

const generate = ['generate', 'hello', '--weights', './m', '--device', 'cpu']
const withAdapter = [...generate, '--adapter', './run/adapter']

/** The list that makes the files of a folder count, as ift writes it. */
function writeHashes(dir: string): void {
  const names = (readdirSync(dir, { recursive: true }) as string[]).filter(
    (name) => name !== 'hashes.json' && statSync(join(dir, name)).isFile(),
  )
  const files = names.map((name) => {
    const content = readFileSync(join(dir, name))
    return [name, { bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') }]
  })
  writeFileSync(join(dir, 'hashes.json'), JSON.stringify({ files: Object.fromEntries(files) as unknown }))
}

/** Runs with another content of a file, which is put back. */
function having(file: string, content: string, args: readonly string[]) {
  const path = folder.path(file)
  let before: string | null
  try {
    before = folder.read(file)
  } catch {
    before = null
  }
  try {
    writeFileSync(path, content)
    return folder.ift(args, { timeout: 20_000 })
  } finally {
    if (before === null) rmSync(path)
    else writeFileSync(path, before)
  }
}

const deep = '['.repeat(2000) + ']'.repeat(2000)

test.each([
  ['m/config.json', 'null', 'IFT_MODEL_CONFIG', 'found null'],
  ['m/config.json', '[]', 'IFT_MODEL_CONFIG', 'found a list'],
  ['m/config.json', '3', 'IFT_MODEL_CONFIG', 'found 3'],
  ['m/config.json', `{"a": ${deep}}`, 'IFT_FILE_CORRUPT', 'levels deep'],
  [
    'm/config.json',
    '{"architectures": ["../../evil"], "model_type": "./evil.mjs"}',
    'IFT_MODEL_UNKNOWN',
    'evil',
  ],
  ['m/generation_config.json', 'null', 'IFT_FILE_CORRUPT', 'generation_config.json'],
  ['m/generation_config.json', '[]', 'IFT_FILE_CORRUPT', 'generation_config.json'],
  ['m/ift.json', 'null', 'IFT_FILE_CORRUPT', 'ift.json'],
  ['m/ift.json', '3', 'IFT_FILE_CORRUPT', 'ift.json'],
  ['m/ift.json', '{"template": 5}', 'IFT_FILE_CORRUPT', 'template'],
  ['m/ift.json', '{"template": "./evil.mjs"}', 'IFT_FILE_CORRUPT', 'template'],
  ['m/ift.json', '{"eos_token_id": ["a"]}', 'IFT_FILE_CORRUPT', 'eos_token_id'],
  ['m/ift.json', '{"eos_token_id": 1}', 'IFT_FILE_CORRUPT', 'eos_token_id'],
  ['m/ift.json', '{"quantize": "constructor"}', 'IFT_FILE_CORRUPT', 'quantize'],
  ['m/tokenizer_config.json', 'null', 'IFT_FILE_CORRUPT', 'tokenizer_config.json'],
  [
    'm/tokenizer_config.json',
    '{"tokenizer_class": 5, "chat_template": 7}',
    'IFT_FILE_CORRUPT',
    'chat_template',
  ],
  ['m/tokenizer.json', '3', 'IFT_FILE_CORRUPT', 'tokenizer.json'],
])('%s: %s', (file, content, code, words) => {
  writeFileSync(folder.path('evil.mjs'), 'process.exit(77)')
  const ended = having(file, content, generate)
  expect(ended.code, ended.stderr.slice(0, 1000)).toBe(1)
  expect(ended.stderr).toContain(code)
  expect(ended.stderr).toContain(words)
  expect(ended.stderr).not.toContain('a fault of ift')
})

test.each([
  ['null', 'IFT_ADAPTER_CONFIG'],
  ['"LORA"', 'IFT_ADAPTER_CONFIG'],
  ['{"peft_type": "__proto__"}', 'IFT_ADAPTER_CONFIG'],
  ['{"peft_type": "constructor"}', 'IFT_ADAPTER_CONFIG'],
  ['{"peft_type": ["LORA"], "r": {}}', 'IFT_ADAPTER_CONFIG'],
  ['{"peft_type": "LORA", "r": 1e300}', 'IFT_ADAPTER_CONFIG'],
  ['{"peft_type": "LORA", "r": 8, "target_modules": 5}', 'IFT_ADAPTER_CONFIG'],
  ['{"peft_type": "LORA", "r": 8, "target_modules": ["dense"], "rank_pattern": []}', 'IFT_ADAPTER_CONFIG'],
])('adapter_config.json: %s', (content, code) => {
  const ended = having('run/adapter/adapter_config.json', content, withAdapter)
  expect(ended.code, ended.stderr.slice(0, 1000)).toBe(1)
  expect(ended.stderr).toContain(code)
  expect(ended.stderr).not.toContain('a fault of ift')
})

test.each([
  'null',
  '[]',
  '{"weight_map": {"a": 5}}',
  '{"weight_map": {"a": "../x"}}',
  `{"weight_map": ${deep}}`,
])('an index of shards: %s', (content) => {
  const ended = having('x.safetensors.index.json', content, [
    ...generate,
    '--weights',
    './x.safetensors.index.json',
  ])
  expect(ended.code).toBe(1)
  expect(ended.stderr).toMatch(/IFT_FILE_(CORRUPT|HOSTILE)|IFT_SOURCE/)
  expect(ended.stderr).not.toContain('a fault of ift')
})

/** A state after two steps whose data goes on in this epoch. */
const stateAt = (epoch: number) =>
  JSON.stringify({
    state: { step: 2, totalSteps: 2, epoch: 1, tokens: 9, trainedTokens: 9 },
    ...{ cursor: { epoch, position: 0 }, optimizerStep: 2, best: null, sinceBest: 0, seconds: 1 },
  })

test.each([
  ['run.json', 'null', 'expected a JSON object, found null'],
  ['run.json', '{"ift": "1", "dataHash": "", "config": 5}', 'config: expected'],
  ['state.json', '[]', 'expected a JSON object, found a list'],
  ['state.json', '{"state": {"step": "two"}}', 'state.step: expected a number, found "two"'],
  ['state.json', stateAt(3), 'cursor.epoch: expected at most 2, the steps so far, found 3'],
  ['state.json', stateAt(2 ** 53 - 1), 'cursor.epoch: expected at most 2, the steps so far, found 9007199'],
])('%s of a checkpoint: %s', (file, content, words) => {
  const checkpoint = folder.path('run/checkpoints/step-2')
  const before = folder.read(`run/checkpoints/step-2/${file}`)
  writeFileSync(join(checkpoint, file), content)
  // As a program would that writes checkpoints of its own.
  writeHashes(checkpoint)
  const ended = folder.ift(tinyRun('run', 2, '--resume', './run/checkpoints/step-2'))
  writeFileSync(join(checkpoint, file), before)
  writeHashes(checkpoint)
  expect(ended.code, ended.stderr).toBe(1)
  expect(ended.stderr).toContain('IFT_FILE_CORRUPT')
  expect(ended.stderr).toContain(`${file}: ${words}`)
})

import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { caseFolder, quickstartModel, root, rows, type CaseFolder } from '../cases/ift.fixture.js'
import { fences } from '../../scripts/docs/markdown.mjs'

let folder: CaseFolder
afterEach(() => {
  folder.remove()
})

/** A folder with a model, rows, and JSON that is no data. */
function begun(): CaseFolder {
  folder = caseFolder('init')
  cpSync(quickstartModel, folder.path('models/tiny'), { recursive: true })
  writeFileSync(folder.path('mine.jsonl'), rows(8))
  writeFileSync(folder.path('settings.json'), '{"a": 1}')
  return folder
}

const config = () =>
  JSON.parse(readFileSync(folder.path('ift.config.json'), 'utf8')) as Record<string, unknown>

test('a config is made from what lies in the folder, and a run can be planned with it', () => {
  begun().output('init', '--yes')
  expect(config()).toMatchObject({
    weights: './models/tiny',
    data: ['./mine.jsonl'],
    peft: { method: 'lora' },
    $schema: expect.stringContaining('config.schema.json') as string,
  })
  const { sequences } = JSON.parse(folder.output('plan', '--template', 'alpaca', '--json')) as {
    sequences: number
  }
  expect(sequences).toBe(8)
})

test('flags are answers', () => {
  begun().output(
    'init',
    '--yes',
    '--data',
    'alpaca',
    'cot',
    '--peft.r',
    '4',
    '--template',
    'alpaca',
    '--train.epochs',
    '1',
  )
  expect(config()).toMatchObject({
    data: ['alpaca', 'cot'],
    peft: { method: 'lora', r: 4 },
    template: 'alpaca',
    train: { epochs: 1 },
  })
})

test('a config that is there is not replaced, nor hidden by a second one', () => {
  begun()
  writeFileSync(folder.path('ift.config.yaml'), 'weights: ./mine\n')
  const hidden = folder.ift(['init', '--yes'])
  expect(hidden.code).toBe(2)
  expect(hidden.stderr).toContain('ift.config.yaml')
  expect(existsSync(folder.path('ift.config.json'))).toBe(false)
  mkdirSync(folder.path('inner'))
  const inner = folder.ift(['init', '--yes', '--weights', 'org/model'], { cwd: folder.path('inner') })
  expect(inner.code, inner.stderr).toBe(0)
  copyFileSync(folder.path('inner/ift.config.json'), folder.path('before.json'))
  const again = folder.ift(['init', '--yes'], { cwd: folder.path('inner') })
  expect(again.stderr).toContain('--force')
  expect(readFileSync(folder.path('inner/ift.config.json'), 'utf8')).toBe(folder.read('before.json'))
  expect(folder.ift(['init', '--yes', '--force'], { cwd: folder.path('inner') }).code).toBe(0)
})

test('an example goes from a model of this machine to a tuned and merged one', () => {
  folder = caseFolder('init-example')
  cpSync(quickstartModel, folder.path('tiny'), { recursive: true })
  folder.output(
    'init',
    '--example',
    'smollm2',
    '--weights',
    './tiny',
    '--template',
    'alpaca',
    '--train.epochs',
    '1',
  )
  const { $schema, ...written } = config()
  expect($schema).toContain('config.schema.json')
  expect(written).toMatchObject({ weights: './tiny', template: 'alpaca', train: { epochs: 1, batchSize: 4 } })

  folder.output('train')
  folder.output('merge', './merged', '--adapter', 'first-run/adapter')
  const answer = folder.output(
    'generate',
    'Where is the Lindenhof?',
    '--weights',
    './merged',
    '--generate.maxNewTokens',
    '4',
  )
  expect(answer.trim()).not.toBe('')

  const before = folder.contents()
  const again = folder.ift(['init', '--example', 'smollm2'])
  expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('--force')])
  expect(folder.contents()).toEqual(before)
})

test('an example with a model that is nowhere writes nothing', () => {
  folder = caseFolder('init-nowhere')
  const { code, stderr } = folder.ift(['init', '--example', 'smollm2', '--weights', './nope.gguf'])
  expect([code, stderr]).toEqual([expect.any(Number), expect.stringContaining('./nope.gguf')])
  expect(code).not.toBe(0)
  expect(folder.contents()).toEqual(new Map())
})

test('the example is that of the tutorial', () => {
  folder = caseFolder('init-tutorial')
  folder.output('init', '--example', 'smollm2')
  const page = readFileSync(join(root, 'docs/tutorial.md'), 'utf8')
  const written = new Map(fences(page).map(({ note, text }) => [note, text.trim()]))
  for (const name of ['rows.jsonl', 'questions.jsonl']) {
    const values = (text: string) =>
      text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown)
    expect(values(folder.read(name))).toEqual(values(written.get(name)!))
  }
  const { $schema: _, ...own } = config()
  expect(own).toEqual(JSON.parse(written.get('ift.config.json')!))
})

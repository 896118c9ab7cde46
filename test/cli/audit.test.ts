import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { caseFolder, quickstartModel, type CaseFolder } from '../cases/ift.fixture.js'

let folder: CaseFolder
afterEach(() => {
  folder.remove()
})

const long =
  'the quick brown fox jumps over a lazy dog while seven small birds sing about the coming rain in early spring near our old stone bridge'
const jsonl = (name: string, ...records: readonly (readonly [instruction: string, output: string])[]) => {
  const lines = records.map(([instruction, output]) => JSON.stringify({ instruction, output }))
  writeFileSync(folder.path(name), `${lines.join('\n')}\n`)
}

function begun() {
  folder = caseFolder('audit')
  jsonl('a.jsonl', ['One?', 'yes'], ['one', 'Yes.'], ['One', 'no'], [long, 'yes'])
  jsonl('b.jsonl', [long.replace('bridge', 'wall'), 'yes'], ['one', 'yes'])
  jsonl('eval.jsonl', [`Solve: ${long}`, ''], ['Other', ''])
}

test('audit tells what repeats, in which sets, without a model', () => {
  begun()
  const table = folder.output('data', 'audit', 'a.jsonl', 'b.jsonl')
  expect(table).toMatch(/a\.jsonl in itself +1 equal, 1 with another answer to the same question/)
  expect(table).toMatch(/b\.jsonl in a\.jsonl +1 equal, 1 near/)
  expect(table).toMatch(/a\.jsonl:1 +2 examples, .*a\.jsonl:2: one Yes\./)
  const report = JSON.parse(folder.output('data', 'audit', 'a.jsonl', 'b.jsonl', '--json')) as object
  expect(report).toMatchObject({
    sets: [
      { name: 'a.jsonl', examples: 4 },
      { name: 'b.jsonl', examples: 2 },
    ],
    exact: [
      [1, 1],
      [0, 0],
    ],
    near: [
      [0, 1],
      [0, 0],
    ],
    clusters: { count: 2 },
  })
})

test('audit of the data of the config shows contamination with both places and the text', () => {
  begun()
  writeFileSync(
    folder.path('ift.config.json'),
    JSON.stringify({ data: ['./a.jsonl', './b.jsonl'], decontaminate: './eval.jsonl' }),
  )
  const table = folder.output('data', 'audit')
  expect(table).toMatch(/\.\/a\.jsonl in \.\/eval\.jsonl +1 of 4 examples share a text with one of 2 records/)
  expect(table).toMatch(/a\.jsonl:4 and .*eval\.jsonl:1: the quick brown fox .* stone bridge/)
  expect(table).toMatch(/b\.jsonl:1 and .*eval\.jsonl:1: the quick brown fox .* stone\n/)
})

test('--output writes every record that was found; --fail-on decides the exit code', () => {
  begun()
  const audit = (...args: string[]) => folder.ift(['data', 'audit', 'a.jsonl', 'b.jsonl', ...args])
  expect(audit('--output', 'found.jsonl').code).toBe(0)
  expect(folder.lines('found.jsonl')).toMatchObject([
    {
      kind: 'exact',
      where: expect.stringMatching(/a\.jsonl:2$/) as string,
      set: 'a.jsonl',
      ofSet: 'a.jsonl',
    },
    { kind: 'question', where: expect.stringMatching(/a\.jsonl:3$/) as string },
    { kind: 'near', where: expect.stringMatching(/b\.jsonl:1$/) as string, ofSet: 'a.jsonl' },
    { kind: 'exact', where: expect.stringMatching(/b\.jsonl:2$/) as string },
  ])
  expect(audit('--fail-on', 'any').code).toBe(1)
  expect(audit('--fail-on', 'near').code).toBe(1)
  expect(audit('--fail-on', 'contamination').code).toBe(0)
  expect(audit('--fail-on', 'contamination', '--decontaminate', './eval.jsonl').code).toBe(1)
  const over = audit('--output', 'a.jsonl')
  expect(over.code).not.toBe(0)
  expect(folder.read('a.jsonl')).toContain('One?')
})

test('NAME:SPLIT leads to the file of the split on the hub', () => {
  begun()
  const repository = folder.path('hub/datasets--openai--gsm8k')
  const snapshot = join(repository, 'snapshots/0123456789abcdef0123456789abcdef01234567')
  mkdirSync(join(repository, 'refs'), { recursive: true })
  mkdirSync(snapshot, { recursive: true })
  writeFileSync(join(repository, 'refs/main'), '0123456789abcdef0123456789abcdef01234567')
  const problems = ['One?', 'Else?'].map((question) => JSON.stringify({ question, answer: '#### 1' }))
  writeFileSync(join(snapshot, 'test.jsonl'), problems.join('\n'))
  const env = { HF_HUB_CACHE: folder.path('hub'), HF_HUB_OFFLINE: '1' }
  const { code, stdout, stderr } = folder.ift(['data', 'audit', 'a.jsonl', '--decontaminate', 'gsm8k:test'], {
    env,
  })
  expect(code, stderr).toBe(0)
  expect(stdout).toMatch(/a\.jsonl in gsm8k:test +3 of 4 examples share a text with one of 2 records/)
  expect(stdout).toContain('gsm8k#1: one')
})

test('what audit cannot do is said with the next command', () => {
  begun()
  const refused = (args: readonly string[], text: RegExp) => {
    const { code, stderr } = folder.ift(['data', ...args])
    expect(code, stderr).not.toBe(0)
    expect(stderr).toMatch(text)
  }
  refused(['audit'], /names no data/)
  refused(['audit', 'none.jsonl'], /none\.jsonl/)
  refused(['stats', 'a.jsonl', 'b.jsonl'], /data stats takes one file, found 2/)
  refused(['audit', 'a.jsonl', '--decontaminate', 'nope:test'], /decontaminate: nope:test/)
  writeFileSync(folder.path('broken.jsonl'), '{"instruction": "a", "output": "b"}\n{"instruction": \n')
  refused(['audit', 'broken.jsonl', '--output', 'found.jsonl'], /broken\.jsonl:2: not valid JSON/)
  expect(() => folder.read('found.jsonl')).toThrow()
})

test('a run goes on with the same duplicates only', () => {
  begun()
  const train = (...args: string[]) =>
    folder.ift([
      ...['train', '--weights', quickstartModel, '--template', 'alpaca', '--data', './a.jsonl', './b.jsonl'],
      ...['--output', 'run', '--train.maxSteps', '2', '--train.saveEvery', '1', '--peft.r', '2', ...args],
    ])
  const first = train('--dedup', 'near')
  expect(first.code, first.stderr).toBe(0)
  expect(first.stderr).toContain('dedup: ./b.jsonl: 2 of 2 examples left out')
  const resumed = train('--dedup', 'exact', '--resume')
  expect(resumed.stderr).toMatch(/cannot be resumed with this config:.*dedup: was "near", is "exact"/s)
  const again = train('--dedup', 'near', '--resume')
  expect(again.code, again.stderr).toBe(0)
})

test('--output never replaces what the audit reads, however it is named', () => {
  begun()
  mkdirSync(folder.path('sub'))
  jsonl('sub/a.jsonl', ['One?', 'yes'], ['one', 'yes'])
  jsonl('sub/b.jsonl', ['Two?', 'yes'])
  jsonl('sub/test.jsonl', ['Three?', 'yes'])
  jsonl('listed.jsonl', ['Four?', 'yes'])
  writeFileSync(folder.path('dataset_info.json'), JSON.stringify({ mine: { file_name: 'listed.jsonl' } }))
  symlinkSync(folder.path('a.jsonl'), folder.path('link.jsonl'))
  mkdirSync(folder.path('gsm8k'))
  writeFileSync(folder.path('gsm8k/train.jsonl'), '{"question": "One?", "answer": "#### 1"}\n')
  const config = (data: unknown, decontaminate?: unknown) => {
    writeFileSync(folder.path('ift.config.json'), JSON.stringify({ data, decontaminate }))
  }
  const before = () => new Map([...folder.contents()].filter(([name]) => !name.includes('ift.config')))
  const files = before()
  const refused = (output: string, ...args: string[]) => {
    const { code, stderr } = folder.ift(['data', 'audit', ...args, '-o', output])
    expect([code, stderr], `${args.join(' ')} -o ${output}`).toEqual([
      1,
      expect.stringContaining('is not replaced') as string,
    ])
    expect(before()).toEqual(files)
  }
  config([])
  refused('a.jsonl', 'a.jsonl')
  refused('link.jsonl', 'a.jsonl')
  refused('a.jsonl', 'link.jsonl')
  refused('sub/a.jsonl', 'sub')
  refused('sub/test.jsonl', 'sub')
  refused('sub/a.jsonl', 'sub/*.jsonl')
  refused('eval.jsonl', 'b.jsonl', '--decontaminate', './eval.jsonl')
  refused('sub/test.jsonl', 'b.jsonl', '--decontaminate', './sub:test')
  config('./a.jsonl', ['./eval.jsonl', './sub'])
  refused('a.jsonl')
  refused('eval.jsonl')
  config({ path: '.', name: 'mine' })
  refused('listed.jsonl')
  refused('dataset_info.json')
  config({ name: 'gsm8k', path: './gsm8k' })
  refused('gsm8k/train.jsonl')
})

test('--format is the form of the files that are audited', () => {
  begun()
  writeFileSync(
    folder.path('text.jsonl'),
    '{"text": "One.", "instruction": "a", "output": "b"}\n{"text": "one", "instruction": "c", "output": "d"}\n',
  )
  const exact = (...args: string[]) =>
    (JSON.parse(folder.output('data', 'audit', 'text.jsonl', '--json', ...args)) as { exact: unknown }).exact
  expect(exact()).toEqual([[0]])
  expect(exact('--format', 'text')).toEqual([[1]])
  const refused = (args: string[], text: string) => {
    const { code, stderr } = folder.ift(['data', ...args, '--format', 'text'])
    expect([code, stderr]).toEqual([2, expect.stringContaining(text) as string])
  }
  refused(['audit', 'gsm8k'], 'found the dataset gsm8k')
  for (const action of ['audit', 'stats', 'validate', 'list']) refused([action], 'expected a file beside it')
})

test.each(['./run/adapter:test', './run/adapter', './run/*/*.jsonl:test', 'run/adapter/test.jsonl'])(
  'a run that is evaluated on %s does not replace it',
  (decontaminate) => {
    begun()
    mkdirSync(folder.path('run/adapter'), { recursive: true })
    jsonl('run/adapter/test.jsonl', ['Other', ''])
    const { code, stderr } = folder.ift([
      ...['train', '--weights', quickstartModel, '--template', 'alpaca', '--data', './a.jsonl'],
      ...['--output', 'run', '--train.maxSteps', '1', '--decontaminate', decontaminate],
    ])
    expect(code, stderr).toBe(1)
    expect(stderr).toMatch(/adapter is not replaced.*IFT_FOLDER_IN_USE/s)
    expect(folder.read('run/adapter/test.jsonl')).toContain('Other')
  },
)

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { MixtureRow } from '@ift/core'
import { caseFolder, quickstartModel, root, rows, type CaseFolder } from '../cases/ift.fixture.js'

let folder: CaseFolder
afterEach(() => {
  folder.remove()
})

function begun(): CaseFolder {
  folder = caseFolder('data')
  writeFileSync(folder.path('good.jsonl'), rows(6))
  const long = { instruction: 'Count', output: 'one two three '.repeat(300) }
  writeFileSync(
    folder.path('mixed.jsonl'),
    `${rows(2)}${JSON.stringify({ instruction: 'No answer', output: '' })}\n${JSON.stringify(long)}\n`,
  )
  writeFileSync(
    folder.path('ift.config.json'),
    JSON.stringify({
      weights: quickstartModel,
      template: 'alpaca',
      data: ['./good.jsonl', './mixed.jsonl'],
      truncation: 'drop',
    }),
  )
  return folder
}

test('stats of a file are a table for people and JSON for programs', () => {
  begun()
  const table = folder.output('data', 'stats', 'good.jsonl')
  expect(table).toMatch(/examples +6\b/)
  expect(table).toMatch(/writing +Latin 100\.0 %/)
  expect(JSON.parse(folder.output('data', 'stats', 'good.jsonl', '--json'))).toMatchObject({ examples: 6 })
})

test('stats without a file tell what became of the data of the config, and why', () => {
  begun()
  const table = folder.output('data', 'stats')
  expect(table).toMatch(/data \.\/good\.jsonl +6 samples/)
  expect(table).toContain('1 longer than maxLength (512 tokens)')
  const { datasets } = JSON.parse(folder.output('data', 'stats', '--json')) as {
    datasets: { name: string; counts: { long: number } }[]
  }
  expect(datasets.map(({ counts }) => counts.long)).toEqual([0, 1])
})

test('the table of a mixture is that of the documentation', () => {
  folder = caseFolder('mixture')
  const page = readFileSync(join(root, 'docs/data.md'), 'utf8')
  const [, section] = /^## Mixtures$(.*?)^## /ms.exec(page)!
  const [, command, config, table] = /```sh\n(.*?)```.*?```json\n(.*?)```.*?```\n(.*?)```/s.exec(section!)!
  execFileSync(process.execPath, ['-e', /'(.*)'/s.exec(command!)![1]!], { cwd: folder.dir })
  writeFileSync(
    folder.path('ift.config.json'),
    JSON.stringify({ ...(JSON.parse(config!) as object), weights: quickstartModel }),
  )
  const shown = (text: string) =>
    text
      .split('\n')
      .filter((line) => /mixture|%/.test(line))
      .map((line) => line.replace(/^ *(mixture)? */, ''))
  const planned = shown(folder.output('plan', '--unmeasured').replace(/^ +trained .*$/m, ''))
  expect(planned).toEqual(shown(table!))
  expect(planned).toHaveLength(4)
  const { mixture } = JSON.parse(folder.output('data', 'stats', '--json')) as { mixture: MixtureRow[] }
  expect(mixture.map(({ name, taken }) => `${name} ${taken}`)).toEqual(
    shown(table!)
      .slice(1)
      .map((line) => line.replace(/ +\d+ +(\d+) .*/, ' $1')),
  )
})

test('validate reads the files of the config and names what is of no use', () => {
  begun()
  const { code, stdout, stderr } = folder.ift(['data', 'validate'])
  expect(code).toBe(1)
  expect(stdout).toMatch(/mixed\.jsonl:3: warning: the output is empty/)
  expect(stderr).toContain('6 examples can be read')
})

test('what validate reads is what a run would read: hub ids, splits, forms', () => {
  begun()
  const repository = folder.path('hub/datasets--org--rows')
  const snapshot = join(repository, 'snapshots/0123456789abcdef0123456789abcdef01234567')
  mkdirSync(join(repository, 'refs'), { recursive: true })
  mkdirSync(snapshot, { recursive: true })
  writeFileSync(join(repository, 'refs/main'), '0123456789abcdef0123456789abcdef01234567')
  writeFileSync(join(snapshot, 'train.jsonl'), rows(3))
  writeFileSync(join(snapshot, 'test.jsonl'), 'held out, and no JSON\n')
  const env = { HF_HUB_CACHE: folder.path('hub'), HF_HUB_OFFLINE: '1' }
  const { code, stderr } = folder.ift(['data', 'validate', '--data', 'org/rows'], { env })
  expect(code, stderr).toBe(0)
  expect(stderr).toContain('3 examples can be read')
})

test('inspect marks what is learned without colours, and says why nothing is left', () => {
  begun()
  const { stdout, stderr } = folder.ift(['inspect'])
  expect(stderr).toContain('between ⟦ and ⟧')
  expect(stdout).toMatch(/⟦ ?number \d+.*⟧/s)
  const none = folder.ift(['inspect', '--data', './mixed.jsonl', '--maxLength', '4'])
  expect(none.code).toBe(1)
  expect(none.stderr).toContain('longer than maxLength (4 tokens)')
})

test('a plan says how long the run takes, and not where it is told not to', () => {
  begun()
  const planned = (...flags: string[]) =>
    JSON.parse(folder.output('plan', '--json', ...flags)) as {
      secondsPerStep?: number
      seconds?: number
      steps: number
    }
  const { secondsPerStep, seconds, steps } = planned()
  expect(secondsPerStep).toBeGreaterThan(0)
  expect(seconds).toBeCloseTo(secondsPerStep! * steps)
  expect(planned('--unmeasured').secondsPerStep).toBeUndefined()
  expect(folder.output('plan')).toMatch(/time +about .* s a step, measured here/)
})

test('results go to stdout, what is said meanwhile to stderr, and a reader that leaves is no crash', async () => {
  begun()
  for (const verb of [['plan'], ['plugins'], ['doctor'], ['data', 'list']]) {
    const { stdout } = folder.ift(verb)
    expect(stdout.length, verb.join(' ')).toBeGreaterThan(40)
    expect(stdout).not.toMatch(/\u001b/)
  }
  const { child, ended } = folder.start(['init', '--list'])
  child.stdout!.once('data', () => child.stdout!.destroy())
  const { code, stderr } = await ended
  expect(code).toBe(0)
  expect(stderr).toBe('')
})

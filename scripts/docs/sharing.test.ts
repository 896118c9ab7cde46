import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FakeHub } from '../../packages/core/src/source/fake-hub.fixture.js'
import { caseFolder, quickstartModel, root } from '../../test/cases/ift.fixture.js'
import { fences } from './markdown.mjs'

// docs/sharing.md: every command of the page is run, one after the other, over a run and a stand-in hub.

const page = readFileSync(join(root, 'docs/sharing.md'), 'utf8')
const lines = fences(page).flatMap(({ text }) =>
  text.split('\n').filter((line) => line.startsWith('npx ift ')),
)
const folder = caseFolder('sharing')
const hub = new FakeHub()

beforeAll(async () => {
  cpSync(quickstartModel, folder.path('model'), { recursive: true })
  writeFileSync(folder.path('d.jsonl'), '{"instruction": "Hi", "output": "Hello"}\n')
  folder.output(
    ...['train', '--weights', './model', '--data', 'd.jsonl', '--template', 'alpaca', '--output', 'run'],
    ...['--device', 'cpu', '--train.maxSteps', '2'],
  )
  hub.token = 'hf_stand-in'
  await hub.start()
})
afterAll(async () => {
  await hub.stop()
  folder.remove()
})

test.each(lines)('%s', async (line) => {
  const words = [...line.slice('npx ift '.length).matchAll(/'([^']*)'|(\S+)/g)].map(
    ([, quoted, plain]) => quoted ?? plain!,
  )
  const env = { HF_ENDPOINT: hub.url, HF_TOKEN: hub.token! }
  // The hub answers in this process, which must not wait for the command.
  const { code, stdout, stderr } = await folder.start(words, { env }).ended
  expect(code, stderr).toBe(0)
  if (words.includes('--print')) expect(stdout).toContain('# Sums in two languages')
  else if (words[0] === 'card') expect(stderr).toContain('README.md')
  else if (words.includes('--dry-run')) expect(stderr).toContain('Nothing was sent.')
  else expect(stderr).toMatch(/pushed: http:.*tag run-/)
})

test('what came of them: one private repository, a commit for each push, and a card that is nobody else’s', () => {
  const pushes = lines.filter((line) => line.includes(' push ') && !line.includes('--dry-run'))
  expect(hub.writes.commits).toHaveLength(pushes.length)
  const repo = hub.repos.get('org/name')!
  expect(repo.private).toBe(true)
  expect(repo.files['README.md']!.toString()).toContain('# Sums in two languages')
  expect(folder.read('run/adapter/README.md')).toBe(repo.files['README.md']!.toString())
  writeFileSync(folder.path('run/adapter/README.md'), 'Mine.\n')
  const refused = folder.ift(['card', './run'])
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain('--overwrite')
  expect(folder.read('run/adapter/README.md')).toBe('Mine.\n')
  folder.output('card', './run', '--overwrite')
  expect(folder.read('run/adapter/README.md')).toContain('library_name')
})

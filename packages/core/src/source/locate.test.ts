import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { locateData, parseHubFiles } from './locate.js'
import { commit, dir, hub, options, withHub } from './resolve.fixture.js'

withHub()

const files = {
  'data/train-0.jsonl': Buffer.from('{}\n'),
  'data/train-1.jsonl': Buffer.from('{ }\n'),
  'data/test.jsonl': Buffer.from('{  }\n'),
  'all.zip': Buffer.from('PK'),
  'README.md': Buffer.from('# set'),
}
const place = (text: string) => locateData(text, options({ kind: 'dataset' }))
const fetched = () => hub.downloads.map(({ path }) => path.split('/').slice(6).join('/'))
const snapshot = () => join(dir, 'cache/datasets--org--set/snapshots', commit)

test.each([
  ['org/set/data/train-*.jsonl', 'data/train-*.jsonl', ['data/train-0.jsonl', 'data/train-1.jsonl']],
  ['org/set@main/data/test.jsonl', 'data/test.jsonl', ['data/test.jsonl']],
  ['hf:org/set/**/*.jsonl', '**/*.jsonl', ['data/test.jsonl', 'data/train-0.jsonl', 'data/train-1.jsonl']],
  ['org/set@refs/pr/1/all.zip!/a/*.json', 'all.zip!/a/*.json', ['all.zip']],
  ['org/set', '', ['data/test.jsonl', 'data/train-0.jsonl', 'data/train-1.jsonl']],
])('%s', async (text, inside, names) => {
  hub.repos.set('org/set', { commit, files, revisions: { 'refs/pr/1': commit } })
  expect(await place(text)).toBe(join(snapshot(), inside))
  expect(fetched().sort()).toEqual(names)
})

test('what is not there is told with what is', async () => {
  hub.repos.set('org/set', { commit, files })
  await expect(place('org/set/data/tarin-*.jsonl')).rejects.toMatchObject({
    code: 'IFT_SOURCE_NOT_FOUND',
    message: expect.stringContaining('it has data/train-0.jsonl, ') as string,
  })
  await expect(place('org/set/data/train-2.jsonl')).rejects.toMatchObject({
    message: expect.stringMatching(
      /has no file that matches data\/train-2\.jsonl; it has data\/train-.* There is no file .* either/,
    ) as string,
  })
})

test('what begins with a folder that is here is a path', async () => {
  await mkdir(join(dir, 'org/set'), { recursive: true })
  await writeFile(join(dir, 'org/set/a.jsonl'), '{}')
  expect(await place('org/set/*.jsonl')).toBe(join(dir, 'org/set/*.jsonl'))
  expect(await place('org/none/*.jsonl')).toBe(join(dir, 'org/none/*.jsonl'))
  expect(await place('*.jsonl')).toBe(join(dir, '*.jsonl'))
  expect(await place('rows.zip!/a.jsonl')).toBe(join(dir, 'rows.zip!/a.jsonl'))
  expect(hub.requests).toEqual([])
})

test('texts of three parts that name no data are no files of the hub', () => {
  expect(
    ['a/b', 'a/b/c', 'a/b@feature/x', './a/*.json', '*/b/c.json', 'a/../c.json'].map(parseHubFiles),
  ).toEqual(Array.from({ length: 6 }, () => null))
})

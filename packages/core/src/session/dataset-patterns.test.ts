import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { defineCollection } from '../plugin/collection.js'
import { PluginSession } from '../plugin/plugin-session.js'
import { commit, hub, withHub } from '../source/resolve.fixture.js'
import { findDatasets } from './find-datasets.js'

withHub()

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ift-patterns-'))
  vi.stubEnv('HF_ENDPOINT', hub.url)
  vi.stubEnv('HF_HUB_CACHE', join(folder, 'cache'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

const plugin = defineCollection(
  {
    name: 'tea',
    title: 'Tea',
    description: 'questions about tea.',
    datasets: { tea: { description: 'All.' } },
    tags: { lang: ['EN'], task: ['TS'], gen: ['HG'] },
    kind: ['instruction'],
    license: { id: 'MIT' },
    upstream: [{ hub: 'org/tea' }],
  },
  { tea: { files: ['*/tea_*.jsonl'], omit: /_test/ } },
)
const row = (instruction: string) => `${JSON.stringify({ instruction, input: '', output: 'a' })}\n`

async function questions(path?: string): Promise<unknown[]> {
  const session = new PluginSession(folder).use(plugin)
  const [found] = await findDatasets(
    session,
    [{ name: 'tea', encoding: 'utf-8', ...(path === undefined ? {} : { path }) }],
    1,
  )
  const made: unknown[] = []
  for await (const { example } of found!.examples())
    made.push((example as { instruction: string }).instruction)
  return made
}

test('files of a pattern on the hub are fetched, and no others', async () => {
  hub.repos.set('org/tea', {
    commit,
    files: {
      'de/tea_b.jsonl': Buffer.from(row('b')),
      'en/tea_a.jsonl': Buffer.from(row('a')),
      'en/tea_test.jsonl': Buffer.from(row('held out')),
      'en/coffee.jsonl': Buffer.from(row('coffee')),
    },
  })
  expect(await questions()).toEqual(['b', 'a'])
  expect(hub.requests.filter(({ path }) => path.includes('coffee'))).toEqual([])
})

test('files of a pattern in a folder, and in that of one part of the set', async () => {
  for (const name of ['de/tea_b', 'en/tea_a', 'en/tea_test', 'en/coffee']) {
    const path = join(folder, 'set', `${name}.jsonl`)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, row(name))
  }
  expect(await questions('./set')).toEqual(['de/tea_b', 'en/tea_a'])
  expect(await questions('./set/en')).toEqual(['en/tea_a'])
  await expect(questions('./none')).rejects.toMatchObject({ code: 'IFT_SOURCE_NOT_FOUND' })
})

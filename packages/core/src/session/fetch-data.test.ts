import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Ift } from '../ift.js'
import { defineCollection } from '../plugin/collection.js'
import { sha256 } from '../source/fake-hub.fixture.js'
import { commit, hub, withHub } from '../source/resolve.fixture.js'
import { findDatasets } from './find-datasets.js'

withHub()

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ift-fetch-'))
  vi.stubEnv('HF_ENDPOINT', hub.url)
  vi.stubEnv('HF_HUB_CACHE', join(folder, 'cache'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

const rows = (...questions: string[]) =>
  Buffer.from(
    questions.map((instruction) => `${JSON.stringify({ instruction, input: '', output: 'a' })}\n`).join(''),
  )
const large = rows(...Array.from({ length: 20_000 }, (_, i) => `question ${i}`))

const known = (upstream: readonly object[], more: object = {}) => ({
  ...{ name: 'tea', title: 'Tea', description: 'questions about tea.' },
  datasets: { tea: { description: 'All.' }, 'tea-green': { description: 'Green.', variantOf: 'tea' } },
  ...{ tags: { lang: ['EN'], task: ['TS'], gen: ['HG'] }, kind: ['instruction'] },
  license: { id: 'CC-BY-SA-4.0', commercial: true, shareAlike: true },
  ...{ upstream, ...more },
})
const files = ['raw/tea.jsonl', 'raw/more.jsonl']
const plugin = (card: object) =>
  defineCollection(card, {
    tea: { files, some: true, converted: ['Tea/tea.json'] },
    'tea-green': { files: ['green-*.jsonl'], converted: ['Tea/green.json'] },
  })
const onHub = plugin(known([{ hub: 'org/tea' }]))

const using = <T>(run: (ift: Ift) => Promise<T>, made = onHub) =>
  Ift.using({ cwd: folder, config: {}, plugins: [made] }, run)
const trained = (name: string, made = onHub) =>
  using(async (ift) => {
    const read: string[] = []
    for (const { examples } of await findDatasets(ift, [{ name, encoding: 'utf-8' }], 1))
      for await (const { example } of examples()) read.push((example as { instruction: string }).instruction)
    return read
  }, made)

test('tells sizes and licences, fetches what training reads and nothing else, and training needs no net then', async () => {
  hub.repos.set('org/tea', {
    commit,
    files: {
      'raw/tea.jsonl': rows('black'),
      'green-1.jsonl': rows('g1'),
      'green-2.jsonl': rows('g2'),
      'raw/other.jsonl': rows('other'),
    },
  })
  const seen: number[] = []
  const total = rows('black').length + rows('g1').length + rows('g2').length
  await using(async (ift) => {
    const plan = await ift.planFetch(['tea', 'tea-green'])
    expect(hub.downloads).toEqual([])
    expect([plan.bytes, plan.missing]).toEqual([total, total])
    expect(plan.datasets.map(({ name, files: of }) => [name, of.map(({ path }) => path)])).toEqual([
      ['tea', ['raw/tea.jsonl']],
      ['tea-green', ['green-1.jsonl', 'green-2.jsonl']],
    ])
    expect(plan.notes).toContainEqual(
      expect.stringMatching(/^Licences of the data: tea CC-BY-SA-4.0 \(share/),
    )
    expect(await plan.fetch({ onProgress: ({ received }) => seen.push(received) })).toEqual([])
    expect((await ift.planFetch(['tea'])).missing).toBe(0)
  })
  expect(Math.max(...seen)).toBe(total)
  expect(hub.downloads).toHaveLength(3)
  vi.stubEnv('HF_HUB_OFFLINE', '1')
  expect(await trained('tea')).toEqual(['black'])
  expect(await trained('tea-green')).toEqual(['g1', 'g2'])
  // Of what was fetched the sizes are known without the net too.
  expect(await using(async (ift) => (await ift.planFetch(['tea'])).missing)).toBe(0)
})

test('a selection is resolved as that of a config, and files that several sets read count once', async () => {
  hub.repos.set('org/tea', {
    commit,
    files: { 'raw/tea.jsonl': rows('black'), 'raw/green-1.jsonl': rows('g1') },
  })
  await using(async (ift) => {
    const plan = await ift.planFetch([{ select: 'name:tea*' }])
    expect(plan.datasets.map(({ name }) => name)).toEqual(['tea', 'tea-green'])
    const twice = await ift.planFetch([{ name: 'tea', encoding: 'utf-8' }, 'tea', 'org/tea/raw/*.jsonl'])
    expect(twice.bytes).toBe(rows('black').length + rows('g1').length)
    await expect(ift.planFetch(['teas'])).rejects.toMatchObject({
      code: 'IFT_PLUGIN_NOT_FOUND',
      hint: expect.stringContaining('tea') as string,
    })
  })
})

test('goes on behind the bytes that an attempt left, and tells how many are to come', async () => {
  hub.repos.set('org/tea', { commit, files: { 'raw/tea.jsonl': large }, large: ['raw/tea.jsonl'] })
  const stop = new AbortController()
  hub.interfere = ({ path }, response, content) => {
    if (!path.includes('/resolve/') || stop.signal.aborted) return false
    response
      .writeHead(200, { 'content-length': content!.length })
      .write(content!.subarray(0, 500_000), () => {
        setTimeout(() => {
          stop.abort()
        }, 50)
      })
    return true
  }
  await using(async (ift) => {
    const plan = await ift.planFetch(['tea'])
    await expect(plan.fetch({ signal: stop.signal })).rejects.toMatchObject({ name: 'AbortError' })
    const rest = await ift.planFetch(['tea'])
    expect(rest.bytes).toBe(large.length)
    expect(rest.missing).toBe(large.length - 500_000)
    expect(await rest.fetch()).toEqual([])
  })
  expect(hub.downloads.at(-1)!.headers.range).toBe('bytes=500000-')
  expect(await trained('tea')).toHaveLength(20_000)
})

test('where the raw files are not on the hub it takes the converted one, also without the net afterwards', async () => {
  hub.repos.set('org/tea', { commit, files: { 'README.md': Buffer.from('#') } })
  hub.repos.set('QingyiSi/Alpaca-CoT', { commit: 'b'.repeat(40), files: { 'Tea/tea.json': rows('old') } })
  await using(async (ift) => {
    const plan = await ift.planFetch(['tea'])
    expect(plan.datasets[0]!.files).toMatchObject([{ repo: 'QingyiSi/Alpaca-CoT', path: 'Tea/tea.json' }])
    await plan.fetch()
  })
  vi.stubEnv('HF_HUB_OFFLINE', '1')
  expect(await trained('tea')).toEqual(['old'])
})

test('of a set that is not on the hub it says where it is published, of a gated one where to log in', async () => {
  const url = plugin(known([{ url: 'https://example.org/tea', files: files.map((path) => ({ path })) }]))
  hub.repos.set('QingyiSi/Alpaca-CoT', { commit, files: { 'other.json': rows('x') } })
  await using(async (ift) => {
    const { datasets, missing } = await ift.planFetch(['tea'])
    expect(missing).toBe(0)
    expect(datasets[0]!.problem).toMatchObject({
      code: 'IFT_SOURCE_NOT_FOUND',
      hint: 'It is published at https://example.org/tea (raw/tea.jsonl, raw/more.jsonl). Put its files into a folder: data: { name: "tea", path: "…" }.',
    })
    // Files beside the config are found, and nothing is fetched of them.
    mkdirSync(join(folder, 'raw'))
    writeFileSync(join(folder, 'raw/tea.jsonl'), rows('mine'))
    expect((await ift.planFetch(['tea'])).datasets).toMatchObject([
      { isLocal: true, files: [], problem: null },
    ])
  }, url)
  hub.repos.set('org/tea', { commit, files: { 'raw/tea.jsonl': rows('x') }, gated: true })
  hub.repos.set('org/free', { commit, files: { 'a.jsonl': rows('free') } })
  await using(async (ift) => {
    const plan = await ift.planFetch(['tea', 'org/free'])
    expect(await plan.fetch()).toMatchObject([
      { code: 'IFT_SOURCE_GATED', hint: expect.stringContaining(`${hub.url}/datasets/org/tea`) as string },
    ])
    expect((await ift.planFetch(['org/free'])).missing).toBe(0)
  })
})

test('a file that is not what the card says is refused: by its size, by the hub’s sha256, by its own', async () => {
  const content = rows('black')
  const stated = (said: object) =>
    plugin(known([{ hub: 'org/tea', files: [{ path: 'raw/tea.jsonl', ...said }] }]))
  const problemsOf = (said: object) =>
    using(async (ift) => {
      const plan = await ift.planFetch(['tea'])
      const [problem] = plan.datasets.flatMap((one) => one.problem ?? [])
      if (problem) expect([plan.missing, await plan.fetch()]).toEqual([0, []])
      return problem ?? (await plan.fetch())[0] ?? null
    }, stated(said))
  const refused = (message: string) => ({
    code: 'IFT_SOURCE_HASH',
    message: expect.stringContaining(message) as string,
  })
  hub.repos.set('org/tea', { commit, files: { 'raw/tea.jsonl': content } })
  expect(await problemsOf({ bytes: content.length + 1 })).toMatchObject(
    refused(`expected ${content.length + 1}`),
  )
  // The hub tells no sha256 of a small file: it is computed of what arrived.
  expect(await problemsOf({ bytes: content.length, sha256: 'c'.repeat(64) })).toMatchObject(
    refused(`has the sha256 ${sha256(content)}, expected ccc`),
  )
  expect(await problemsOf({ sha256: sha256(content) })).toBeNull()
  rmSync(join(folder, 'cache'), { recursive: true })
  hub.repos.set('org/tea', { commit, files: { 'raw/tea.jsonl': content }, large: ['raw/tea.jsonl'] })
  hub.requests.length = 0
  expect(await problemsOf({ sha256: 'c'.repeat(64) })).toMatchObject(refused('expected ccc'))
  expect(hub.downloads).toEqual([])
  expect(await problemsOf({ sha256: sha256(content) })).toBeNull()
})

test('a mirror is asked in place of the hub, for the same cache', async () => {
  vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9')
  hub.repos.set('org/tea', {
    commit,
    files: { 'raw/tea.jsonl': rows('black'), 'raw/more.jsonl': rows('white') },
  })
  await using(async (ift) => {
    const plan = await ift.planFetch(['tea'], { mirror: `${hub.url}/` })
    expect(await plan.fetch()).toEqual([])
  })
  expect(readdirSync(join(folder, 'cache'))).toContain('datasets--org--tea')
  expect(await trained('tea')).toEqual(['black', 'white'])
})

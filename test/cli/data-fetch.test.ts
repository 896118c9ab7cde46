import { afterAll, beforeAll, expect, test } from 'vitest'
import { FakeHub } from '../../packages/core/src/source/fake-hub.fixture.js'
import { caseFolder, quickstartModel } from '../cases/ift.fixture.js'

const folder = caseFolder('data-fetch')
const hub = new FakeHub()
beforeAll(() => hub.start())
afterAll(async () => {
  folder.remove()
  await hub.stop()
})

const env = () => ({
  HF_ENDPOINT: 'http://127.0.0.1:9',
  HF_HUB_CACHE: folder.path('cache'),
  HF_HUB_OFFLINE: '',
})

test('fetched from a mirror by name, a dataset is trained on without the net', async () => {
  const row = { instruction: 'q', context: '', response: 'a', category: 'open_qa' }
  const content = Buffer.from(`${JSON.stringify(row)}\n`.repeat(20))
  hub.repos.set('databricks/databricks-dolly-15k', {
    commit: 'a'.repeat(40),
    files: { 'databricks-dolly-15k.jsonl': content, 'README.md': Buffer.from('#') },
  })
  const fetch = (...more: string[]) =>
    folder.start(['data', 'fetch', 'dolly', '--mirror', hub.url, ...more], { env: env() }).ended
  const refused = await fetch()
  expect(refused.code).toBe(2)
  expect(refused.stdout).toMatch(/dolly +1\.35 KiB in 1 file, databricks\/databricks-dolly-15k/)
  expect(refused.stderr).toContain('Licences of the data: dolly CC-BY-SA-3.0 (share alike).')
  expect(refused.stderr).toContain(`npx ift data fetch dolly --mirror ${hub.url} --yes`)
  expect(hub.downloads).toEqual([])
  const done = await fetch('--yes')
  expect(done.stderr).toContain('training finds them there')
  expect(done.code).toBe(0)
  expect(hub.downloads).toHaveLength(1)
  const args = ['data', 'stats', '--weights', quickstartModel, '--template', 'alpaca', '--data', 'dolly']
  const stats = folder.ift(args, { env: { ...env(), HF_HUB_OFFLINE: '1' } })
  expect(stats.stdout).toContain('dolly')
  expect(stats.code).toBe(0)
})

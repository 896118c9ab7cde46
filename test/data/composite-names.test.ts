import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel, root } from '../cases/ift.fixture.js'

// `ift train --data alpaca-belle-cot`, a name of the original platform, on the sample files of the three packages: as the original's
// converted files in ./data, as published files in a folder, and as published files in the cache of the hub.

const folder = caseFolder('composite-names')
afterAll(() => {
  folder.remove()
})

const sets = ['alpaca', 'belle', 'cot'] as const
const fixtures = (set: string) => join(root, 'packages/datasets', set, 'fixtures')
/** Examples that the golden files say. */
const examples = (kind: 'raw' | 'converted') =>
  sets.map((set) => {
    const said = JSON.parse(readFileSync(join(fixtures(set), `${set}.${kind}.json`), 'utf8')) as {
      examples: readonly unknown[]
    }
    return said.examples.length
  })

/** Published files by their names, those of invented records too. */
const published = {
  alpaca: { 'alpaca_data_cleaned.json': 'alpaca_data_cleaned.json' },
  belle: { 'Belle_open_source_0.5M.json': 'Belle_open_source_0.5M.invented.json' },
  cot: Object.fromEntries(
    ['aqua', 'creak', 'gsm8k', 'qasc'].map((task) => [
      `Chain-of-Thought/origin_cot_data/${task}_train.tsv`,
      `${task}_train.tsv`,
    ]),
  ),
}

function copy(from: string, ...to: string[]): void {
  const place = join(...to)
  mkdirSync(dirname(place), { recursive: true })
  copyFileSync(from, place)
}

interface Manifest {
  readonly mixture: readonly { readonly name: string; readonly rows: number }[]
  readonly licenses: Readonly<Record<string, unknown>>
}

/** Trains two steps in a folder of its own, and gives what is said of the data. */
function train(cwd: string, words: readonly string[] = []) {
  const run = [...['--output', 'run', '--template', 'alpaca', '--train.maxSteps', '2'], ...words]
  const { code, stderr } = folder.ift(['train', '--weights', quickstartModel, ...run], {
    cwd,
    env: { IFT_DEVICE: 'cpu', HF_HUB_OFFLINE: '1', HF_HUB_CACHE: join(cwd, 'hub') },
    timeout: 110_000,
  })
  expect(code, stderr).toBe(0)
  expect(stderr).toContain('alpaca-belle-cot stands for alpaca and belle and cot.')
  const manifest = JSON.parse(readFileSync(join(cwd, 'run/manifest.json'), 'utf8')) as Manifest
  return { stderr, manifest }
}

/** What the packages read is what their golden files say, and their licences are known. */
function claimPackages({ stderr, manifest }: ReturnType<typeof train>): void {
  expect(manifest.mixture.map(({ name, rows }) => [name, rows])).toEqual(
    sets.map((set, i) => [set, examples('raw')[i]]),
  )
  expect(Object.keys(manifest.licenses)).toEqual([...sets])
  expect(stderr).toMatch(/alpaca .*CC-BY-NC-4\.0/)
}
const place = (name: string) => {
  const cwd = folder.path(name)
  mkdirSync(cwd)
  return cwd
}

test("the original's converted files in ./data", () => {
  const cwd = place('converted')
  const converted = {
    'alpaca_data_cleaned.json': 'alpaca/alpaca_data.json',
    'belle_data_cn.json': 'belle_cn/belle_instructions/belle_data0.5M_cn.invented.json',
    'CoT_data.json': 'Chain-of-Thought/CoT_data.json',
  }
  for (const [i, [name, from]] of Object.entries(converted).entries())
    copy(join(fixtures(sets[i]!), 'converted', from), cwd, 'data', name)
  const { manifest } = train(cwd, ['--data', 'alpaca-belle-cot'])
  expect(manifest.mixture.map(({ name, rows }) => [name, rows])).toEqual(
    Object.keys(converted).map((name, i) => [`data/${name}`, examples('converted')[i]]),
  )
}, 120_000)

test('published files in a folder', () => {
  const cwd = place('published')
  for (const set of sets)
    for (const [name, from] of Object.entries(published[set]))
      copy(join(fixtures(set), 'raw', from), cwd, 'data', name)
  writeFileSync(join(cwd, 'ift.config.json'), '{ "data": { "name": "alpaca-belle-cot", "path": "./data" } }')
  claimPackages(train(cwd))
}, 120_000)

test('published files in the cache of the hub', () => {
  const cwd = place('cached')
  const hubs = {
    alpaca: 'yahma/alpaca-cleaned',
    belle: 'BelleGroup/train_0.5M_CN',
    cot: 'QingyiSi/Alpaca-CoT',
  }
  const commit = '0123456789abcdef0123456789abcdef01234567'
  for (const set of sets) {
    const repository = join(cwd, 'hub', `datasets--${hubs[set].replace('/', '--')}`)
    mkdirSync(join(repository, 'refs'), { recursive: true })
    writeFileSync(join(repository, 'refs/main'), commit)
    for (const [name, from] of Object.entries(published[set]))
      copy(join(fixtures(set), 'raw', from), repository, 'snapshots', commit, name)
  }
  // Offline, a task that is absent is one that was not fetched.
  const absent = ['ecqa', 'esnli', 'qed', 'sensemaking', 'strategyqa']
  for (const task of absent)
    writeFileSync(
      join(
        cwd,
        `hub/datasets--QingyiSi--Alpaca-CoT/snapshots/${commit}/Chain-of-Thought/origin_cot_data/${task}_train.tsv`,
      ),
      '',
    )
  claimPackages(train(cwd, ['--data', 'alpaca-belle-cot']))
}, 120_000)

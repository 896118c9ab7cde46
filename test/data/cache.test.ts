import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type IftConfig } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { quickstartConfig } from '../fixture/quickstart.js'
import { sessionsIn } from '../fixture/session.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-cache-'))
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})
const session = sessionsIn(dir, [cpu, llama])

/** Installs a package of the datasets `own` and `shards`, which read files, and `made`, which reads none. */
const install = (comment: string) => {
  const place = join(dir, 'node_modules/ift-plugin-dataset-own')
  mkdirSync(place, { recursive: true })
  const facts = { license: 'MIT', source: 'here', description: '', tags: { lang: [], task: [], gen: [] } }
  writeFileSync(
    join(place, 'package.json'),
    JSON.stringify({
      ...{ name: 'ift-plugin-dataset-own', version: '1.0.0', type: 'module', main: 'index.js' },
      ift: { api: 1, provides: { dataset: { own: {}, shards: {}, made: {} } } },
    }),
  )
  writeFileSync(
    join(place, 'index.js'),
    `// ${comment}
import { readdir, readFile } from 'node:fs/promises'
globalThis.loads = 0
async function* own(context) {
  globalThis.loads++
  const first = await context.file('first.txt').catch(() => context.file('second.txt'))
  for (const line of (await readFile(first, 'utf8')).split('\\n'))
    if (line === '') context.dropped('empty line', first)
    else yield { instruction: line + ' ' + context.seed, input: '', output: 'Yes.' }
}
async function* shards(context) {
  globalThis.loads++
  const pattern = await context.file('shards/*.jsonl')
  const dir = pattern.slice(0, pattern.lastIndexOf('/'))
  for (const name of (await readdir(dir)).sort())
    yield { instruction: await readFile(dir + '/' + name, 'utf8'), input: '', output: 'Yes.' }
}
async function* made() {
  globalThis.loads++
  yield { instruction: 'a', input: '', output: 'b' }
}
export const plugin = { name: 'ift-plugin-dataset-own', api: 1, apply(ift) {
  ift.hooks.dataset.for('own').tap('own', () => ({ name: 'own', ...${JSON.stringify(facts)}, load: own }))
  ift.hooks.dataset.for('shards').tap('own', () => ({ name: 'shards', ...${JSON.stringify(facts)}, load: shards }))
  ift.hooks.dataset.for('made').tap('own', () => ({ name: 'made', ...${JSON.stringify(facts)}, load: made }))
} }
`,
  )
}
install('one')
writeFileSync(join(dir, 'second.txt'), 'one\ntwo\n\nthree\nfour')

const loads = () => (globalThis as unknown as { loads?: number }).loads ?? 0

/** Opens the data of a config and gives what came out, with how often a dataset was read for it. */
const open = (more: Partial<IftConfig> = {}) =>
  session(
    {
      ...quickstartConfig,
      ...{ model: 'llama', device: 'cpu', output: 'x', data: ['own'], validation: {} },
      ...more,
    },
    async (ift) => {
      const before = loads()
      const { data } = await ift.openData()
      const { hash, notes, train } = data
      return { hash, notes, samples: train.count, loads: loads() - before }
    },
  )
const kept = () => readdirSync(join(dir, '.ift-cache'))

test('samples of a dataset package are kept until a file, the code or a choice changes', async () => {
  const first = await open()
  expect(first).toMatchObject({ samples: 4, loads: 1 })
  expect(first.notes.join()).toContain('1 × empty line')
  expect(await open()).toEqual({ ...first, loads: 0 })
  expect(await open({ data: [{ name: 'own', limit: 3 }] })).toMatchObject({ samples: 3, loads: 1 })
  expect(await open({ train: { ...quickstartConfig.train!, seed: 7 } })).toMatchObject({ loads: 1 })
  // Another template, of which what is read is known.
  expect(await open({ template: 'vicuna' })).toMatchObject({ samples: 4, loads: 1 })
  writeFileSync(join(dir, 'second.txt'), 'one\ntwo\n\nthree\nother')
  const changed = await open()
  expect(changed.loads).toBe(1)
  expect(changed.hash).not.toBe(first.hash)
  expect(await open()).toEqual({ ...changed, loads: 0 })
  // A file that was asked for in vain is there now.
  writeFileSync(join(dir, 'first.txt'), 'one')
  expect(await open()).toMatchObject({ samples: 1, loads: 1 })
  expect(await open()).toMatchObject({ samples: 1, loads: 0 })
  rmSync(join(dir, 'first.txt'))
  install('two')
  expect(await open()).toEqual({ ...changed, loads: 1 })
})

test('a dataset that asks for no file is read every time', async () => {
  const before = kept()
  expect(await open({ data: ['made'] })).toMatchObject({ samples: 1, loads: 1 })
  expect(await open({ data: ['made'] })).toMatchObject({ samples: 1, loads: 1 })
  expect(kept()).toEqual(before)
})

test('of a pattern every file counts, and those that come to it', async () => {
  mkdirSync(join(dir, 'shards'))
  for (const name of ['a', 'b']) writeFileSync(join(dir, 'shards', `${name}.jsonl`), `{"text": "${name}"}`)
  const shards = () => open({ data: ['shards'] })
  expect(await shards()).toMatchObject({ samples: 2, loads: 1 })
  expect(await shards()).toMatchObject({ samples: 2, loads: 0 })
  writeFileSync(join(dir, 'shards', 'b.jsonl'), '{"text": "other"}')
  expect(await shards()).toMatchObject({ samples: 2, loads: 1 })
  writeFileSync(join(dir, 'shards', 'c.jsonl'), '{"text": "c"}')
  expect(await shards()).toMatchObject({ samples: 3, loads: 1 })
  expect(await shards()).toMatchObject({ samples: 3, loads: 0 })
})

test('what dedup finds in a dataset package is known the next time', async () => {
  writeFileSync(join(dir, 'second.txt'), 'one\ntwo\nOne.\nthree')
  const first = await open({ dedup: 'exact' })
  // Once to compare, once to tokenise.
  expect(first).toMatchObject({ samples: 3, loads: 2 })
  expect(await open({ dedup: 'exact' })).toEqual({ ...first, loads: 0 })
})

test('a run removes what was not used for long', async () => {
  const old = new Date(Date.now() - 40 * 24 * 3_600_000)
  for (const name of kept()) utimesSync(join(dir, '.ift-cache', name), old, old)
  const before = kept()
  await open()
  const after = kept()
  expect(after.filter((name) => before.includes(name))).not.toEqual(before)
  expect(await open()).toMatchObject({ loads: 0 })
  for (const name of kept()) utimesSync(join(dir, '.ift-cache', name), old, old)
  const all = kept()
  await open({ cache: { maxAge: 60 } })
  expect(kept()).toEqual(all)
})

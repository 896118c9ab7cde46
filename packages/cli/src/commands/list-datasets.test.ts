import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, expect, test } from 'vitest'
import { defineDataset, definePlugin, knownDatasets, PluginSession } from '@ift/core'
import { Terminal } from '../ui/terminal.js'
import { datasetLines } from '../ui/dataset-view.js'
import { listDatasets } from './list-datasets.js'

// Nothing is installed beside a folder of its own.
const dir = mkdtempSync(join(tmpdir(), 'ift-list-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})

function listed(session: PluginSession, query: string, json = false) {
  const texts = { stdout: '', stderr: '' }
  const sink = (name: 'stdout' | 'stderr') =>
    new PassThrough().on('data', (text: Buffer) => (texts[name] += text.toString())) as never
  listDatasets(session, new Terminal(sink('stdout'), sink('stderr'), {}), { query, json })
  return texts
}

test('sets whose packages are not here are listed with the line that installs them', () => {
  const session = new PluginSession(dir)
  const { stdout, stderr } = listed(session, 'name:xp3|dolly*')
  expect(stdout).toMatch(/^To install\n {2}dolly .*\n {2}dolly-references .*\n {2}xp3 .*EVAL/m)
  expect(stderr).toContain('npm install @ift/dataset-dolly @ift/dataset-xp3\n')
  const all = listed(session, '')
  expect(all.stderr).toContain('No dataset package is installed')
  expect(all.stderr).toContain('npm install @ift/dataset-NAME')
  expect(listed(session, 'package:belle').stdout).toMatch(/^ {2}belle1m .* GPL-3\.0-only .*\[belle\]/m)
})

test('what a plugin of the config registers is here, and can be selected by what it says', () => {
  const own = defineDataset({
    name: 'tea',
    license: 'CC0-1.0',
    source: 'us',
    description: 'Cups.',
    tags: { lang: ['CN'], task: ['TS'], gen: ['HG'] },
    load: () => {
      throw new Error('It is not loaded.')
    },
  })
  const session = new PluginSession(dir).use(definePlugin('tea', (host) => host.use(own)))
  const rows = JSON.parse(listed(session, 'lang:cn gen:hg -kind:table', true).stdout) as Record<
    string,
    unknown[]
  >
  expect(rows['installed']).toMatchObject([{ name: 'tea', license: 'CC0-1.0', marks: ['?'] }])
  expect(rows['installable']).toMatchObject([{ name: 'cot-zh', package: '@ift/dataset-cot', marks: [] }])
})

test.each([40, 60, 100, 200])('no line is wider than %i columns', (width) => {
  const known = knownDatasets(new PluginSession(dir))
  const lines = [...datasetLines(known, width)]
  expect(lines).toHaveLength(known.length)
  for (const [name, line] of lines) {
    expect(line.length).toBeLessThanOrEqual(width)
    expect(line).toContain(name)
  }
})

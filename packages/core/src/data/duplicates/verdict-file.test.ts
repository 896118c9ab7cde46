import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { Examination } from './examination.js'
import { loadExamined, saveExamined } from './verdict-file.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-verdicts-'))
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})

const set = (name: string, examples: number) => ({ name, examples, withoutText: 0 })
const report: Examination = {
  sets: [set('a', 3), set('b', 0), set('c', 2)],
  ...{ exact: null, questions: null, near: null, crowded: 0 },
  clusters: { count: 0, largest: [] },
  contamination: { evaluations: [], counts: [], found: [] },
}
const verdicts = [[0, 1, 2], [], [0, 3]].map((list) => Uint8Array.from(list))
const file = join(dir, 'key.verdicts')
const load = () => loadExamined(dir, 'key')

test('what was found is read as it was written', async () => {
  await saveExamined(dir, 'key', { report, verdicts })
  const loaded = await load()
  expect(loaded?.report).toEqual(report)
  expect(loaded?.verdicts.map((list) => [...list])).toEqual([[0, 1, 2], [], [0, 3]])
  expect(await loadExamined(dir, 'other')).toBeNull()
})

test('a file in which anything differs is none', async () => {
  await saveExamined(dir, 'key', { report, verdicts })
  const whole = readFileSync(file)
  for (let length = 0; length < whole.length; length++) {
    writeFileSync(file, whole.subarray(0, length))
    expect(await load(), `${length} bytes`).toBeNull()
  }
  for (let at = 0; at < whole.length; at++) {
    const changed = Buffer.from(whole)
    changed[at]! ^= 1
    writeFileSync(file, changed)
    expect(await load(), `byte ${at}`).toBeNull()
  }
  for (const more of ['\0', '\n', '0'.repeat(9)]) {
    writeFileSync(file, Buffer.concat([whole, Buffer.from(more)]))
    expect(await load()).toBeNull()
  }
  const header = (change: (text: string) => string) => {
    const line = whole.indexOf('\n', 16)
    writeFileSync(
      file,
      Buffer.concat([Buffer.from(change(whole.toString('utf8', 0, line))), whole.subarray(line)]),
    )
  }
  for (const lengths of ['[2,1,2]', '[3,2]', '[3,0,2,0]', '[5]', '[3,0,3]', '[3,-1,3]', '"305"', 'null']) {
    header((text) => text.replace('"lengths":[3,0,2]', `"lengths":${lengths}`))
    expect(await load(), lengths).toBeNull()
  }
})

test('lists that are not those of the sets are none', async () => {
  for (const lists of [verdicts.slice(1), [...verdicts, new Uint8Array(0)], verdicts.toReversed()]) {
    await saveExamined(dir, 'key', { report, verdicts: lists })
    expect(await load()).toBeNull()
  }
})

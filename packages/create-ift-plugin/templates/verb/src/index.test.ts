import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { manifestConformance } from '@ift/core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { countFields } from './count-fields.js'
import { plugin } from './index.js'

const folder = mkdtempSync(join(tmpdir(), '__name__-'))
const [rows, table] = [join(folder, 'rows.jsonl'), join(folder, 'table.csv')]
beforeAll(() => {
  writeFileSync(rows, '{"instruction": "Why?", "output": "So."}\n{"instruction": "How?"}\n')
  writeFileSync(table, 'instruction,source\nWhen?,a\n')
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

test('records and fields of files of several kinds', async () => {
  expect(await countFields([rows, table])).toEqual({
    records: 3,
    fields: { instruction: 3, output: 1, source: 1 },
  })
})

test('a file that is not there is named', async () => {
  await expect(countFields([join(folder, 'absent.jsonl')])).rejects.toThrow('absent.jsonl')
})

describe('package.json', () => {
  const own = fileURLToPath(new URL('..', import.meta.url))
  for (const { name, run } of manifestConformance(plugin, own)) test(name, run)
})

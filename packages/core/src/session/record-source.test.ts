import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeZip } from '../data/read/archive/zip.fixture.js'
import { dataFiles } from '../data/read/index.js'
import { findRecords } from './record-source.js'

test('held-out files of many are told about as fast as they are listed', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ift-record-source-'))
  const timeOf = async (work: () => Promise<unknown>) => {
    const start = performance.now()
    await work()
    return performance.now() - start
  }
  try {
    const path = join(dir, 'rows.zip')
    const data = Buffer.from('{}')
    const folder = 'a-folder-with-a-name/'.repeat(4)
    const names = Array.from(
      { length: 20_000 },
      (_, i) => `${folder}${i % 2 === 0 ? 'train' : 'test'}/${i}.json`,
    )
    await writeFile(path, makeZip(names.map((name) => ({ name, data, method: 0 }))))
    const { files, leftOut } = await findRecords(dir, { path, encoding: 'utf-8' })
    expect([files.length, leftOut.length]).toEqual([10_000, 10_000])
    expect(leftOut[0]).toMatch(/test\/1\.json$/)
    // What the archive holds is known by now.
    const list = await timeOf(() => dataFiles(path, 'training'))
    const find = await timeOf(() => findRecords(dir, { path, encoding: 'utf-8' }))
    expect(find).toBeLessThan(10 * list + 200)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})

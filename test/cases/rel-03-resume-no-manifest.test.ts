import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { tinyCase, tinyRun, type CaseFolder } from './ift.fixture.js'

// What is missing does not count as equal.

let folder: CaseFolder
const run = (...flags: string[]) =>
  tinyRun('run', 4, '--train.saveEvery', '1', '--train.keepCheckpoints', '9', ...flags)

beforeAll(() => {
  folder = tinyCase('rel-03')
  folder.output(...run())
  for (const part of ['checkpoints/step-4', 'adapter']) rmSync(folder.path('run', part), { recursive: true })
  cpSync(folder.path('run'), folder.path('kept'), { recursive: true })
}, 60_000)
beforeEach(() => {
  rmSync(folder.path('run'), { recursive: true, force: true })
  cpSync(folder.path('kept'), folder.path('run'), { recursive: true })
})
afterAll(() => {
  folder.remove()
})

test('without its manifest a run is compared all the same', () => {
  rmSync(folder.path('run/manifest.json'))
  const other = folder.ift(run('--resume', '--train.learningRate', '0.5'))
  expect(other.code, other.stderr).not.toBe(0)
  expect(other.stderr).toContain('IFT_RESUME_CONFIG')
  expect(other.stderr).toContain('train.learningRate: was 0.0003, is 0.5')
  const same = folder.ift(run('--resume'))
  expect(same.code, same.stderr).toBe(0)
  expect(same.stderr).toContain('step-3')
  expect(folder.read('run/manifest.json')).toContain('"weights"')
})

test('a run that nothing tells about is not gone on with', () => {
  rmSync(folder.path('run/manifest.json'))
  for (const step of [1, 2, 3]) {
    const dir = `run/checkpoints/step-${step}`
    rmSync(folder.path(dir, 'run.json'), { force: true })
    const { files } = JSON.parse(folder.read(`${dir}/hashes.json`)) as { files: Record<string, unknown> }
    delete files['run.json']
    writeFileSync(folder.path(dir, 'hashes.json'), JSON.stringify({ files }))
  }
  const { code, stderr } = folder.ift(run('--resume'))
  expect(code, stderr).not.toBe(0)
  expect(stderr).toMatch(/IFT_RESUME_CONFIG|IFT_FILE_NOT_FOUND/)
})

test('a list of no files, or without those of a checkpoint, makes none', () => {
  writeFileSync(folder.path('run/checkpoints/step-3/hashes.json'), '{"files":{}}')
  const path = folder.path('run/checkpoints/step-2/hashes.json')
  const { files } = JSON.parse(readFileSync(path, 'utf8')) as { files: Record<string, unknown> }
  delete files['optimizer.safetensors']
  writeFileSync(path, JSON.stringify({ files }))
  const { code, stderr } = folder.ift(run('--resume'))
  expect(code, stderr).toBe(0)
  expect(stderr).toMatch(/passed over .*step-3[^]*passed over .*step-2[^]*Resuming from .*step-1/)
})

test('checkpoints alone are a run, which is not begun over', () => {
  rmSync(folder.path('run/manifest.json'))
  const { code, stderr } = folder.ift(run())
  expect(code, stderr).not.toBe(0)
  expect(stderr).toContain('IFT_RUN_EXISTS')
  expect(folder.contents('run/checkpoints')).toEqual(folder.contents('kept/checkpoints'))
})

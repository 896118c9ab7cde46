import {
  copyFileSync,
  cpSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  truncateSync,
  utimesSync,
  writeSync,
  closeSync,
} from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tinyCase, tinyRun, type CaseFolder } from './ift.fixture.js'

// Weights that are used in place are part of the run: what happens to their file ends it with a message, never with a signal.

let folder: CaseFolder
beforeAll(() => {
  folder = tinyCase('rel-19')
})
afterAll(() => {
  folder.remove()
})

/** A run over a model of its own whose weights are used as they lie in the file; under way. */
async function underWay(name: string, steps: number) {
  cpSync(folder.path('m'), folder.path(`m-${name}`), { recursive: true })
  const flags = ['--weights', `./m-${name}`, '--dtype', 'f32', '--train.saveEvery', '50']
  const running = folder.start(tinyRun(name, steps, ...flags))
  await running.until(() => existsSync(folder.path(name, 'metrics.jsonl')))
  return { ...running, weights: folder.path(`m-${name}/model.safetensors`) }
}

test('a base that is cut short ends the run with a message and its name', async () => {
  const { weights, ended } = await underWay('cut', 100_000)
  truncateSync(weights, 0)
  const { code, signal, stderr } = await ended
  expect(signal, stderr).toBe(null)
  expect(code, stderr).toBe(1)
  expect(stderr).toContain('IFT_FILE_CHANGED')
  expect(stderr).toContain(weights)
  expect(existsSync(folder.path('cut/adapter'))).toBe(false)
}, 30_000)

test('a base that is written over in place makes no checkpoint', async () => {
  const { weights, ended } = await underWay('over', 100_000)
  const bytes = readFileSync(weights)
  const file = openSync(weights, 'r+')
  writeSync(
    file,
    bytes.map((byte, i) => (i > bytes.length / 2 ? byte ^ 1 : byte)),
    0,
    bytes.length,
    0,
  )
  closeSync(file)
  const { code, stderr } = await ended
  expect(code, stderr).toBe(1)
  expect(stderr).toMatch(/IFT_FILE_CHANGED|IFT_TRAIN_NONFINITE/)
}, 30_000)

test('a new file under the same name, or a new time of the same one, is no matter of the run', async () => {
  const { weights, ended, until } = await underWay('renamed', 150)
  await until(() => existsSync(folder.path('renamed/checkpoints/step-50')))
  utimesSync(weights, 1, 1)
  await until(() => existsSync(folder.path('renamed/checkpoints/step-100')))
  copyFileSync(weights, `${weights}.new`)
  renameSync(`${weights}.new`, weights)
  const { code, stderr } = await ended
  expect(code, stderr).toBe(0)
  expect(existsSync(folder.path('renamed/adapter'))).toBe(true)
}, 30_000)

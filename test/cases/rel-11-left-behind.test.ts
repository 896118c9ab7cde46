import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tinyCase, tinyRun, type CaseFolder } from './ift.fixture.js'

// What killed saves leave goes with the next run of the folder; what somebody else has there stays.

let folder: CaseFolder
const run = (...flags: string[]) => tinyRun('run', 40, '--train.saveEvery', '1', ...flags)
const hidden = (name: string) => readdirSync(folder.path(name)).filter((entry) => entry.startsWith('.'))

beforeAll(() => {
  folder = tinyCase('rel-11')
})
afterAll(() => {
  folder.remove()
})

test('temporary folders of killed saves are removed, and an old one without its new one comes back', async () => {
  const killed = folder.start(run())
  await killed.until(() => existsSync(folder.path('run/checkpoints/step-5')))
  killed.child.kill('SIGKILL')
  await killed.ended
  const put = (name: string) => {
    mkdirSync(folder.path(dirname(name)), { recursive: true })
    writeFileSync(folder.path(name), 'half of it')
  }
  put('run/checkpoints/.step-7.tmp-0123456789ab/optimizer.safetensors')
  put('run/checkpoints/.step-2.tmp-00000000000f/state.json')
  put('run/checkpoints/.step-1.old-0123456789ab/state.json')
  put('run/.adapter.tmp-0123456789ab/adapter_config.json')
  put('run/.metrics.jsonl.tmp-0123456789ab')
  // Not of a run.
  put('run/.notes.tmp-0123456789ab')
  put('run/checkpoints/.mine/best')
  // Killed between the two renames: the newest checkpoint is there under its old name alone.
  const steps = readdirSync(folder.path('run/checkpoints')).flatMap(
    (name) => /^step-(\d+)$/.exec(name)?.[1] ?? [],
  )
  const newest = Math.max(...steps.map(Number))
  renameSync(
    folder.path(`run/checkpoints/step-${newest}`),
    folder.path(`run/checkpoints/.step-${newest}.old-0123456789ac`),
  )
  const { code, stderr } = folder.ift(run('--resume'))
  expect(code, stderr).toBe(0)
  expect(stderr).toContain(`Resuming from ${folder.path(`run/checkpoints/step-${newest}`)}`)
  expect(hidden('run/checkpoints')).toEqual(['.mine'])
  expect(hidden('run')).toEqual(['.notes.tmp-0123456789ab'])
}, 60_000)

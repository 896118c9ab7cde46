import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tinyCase, tinyRun, type CaseFolder } from './ift.fixture.js'

// A hang-up writes a checkpoint, as Ctrl-C does. Processes that a command has started end with it, however it ends.

const mpi = spawnSync('mpirun', ['--version'], { encoding: 'utf8' }).status === 0
if (!mpi) console.log('skipped: runs of several CPU ranks need mpirun (apt-get install openmpi-bin)')

let folder: CaseFolder
const run = (output: string, ...flags: string[]) =>
  tinyRun(output, 3000, '--train.saveEvery', '10', '--train.keepCheckpoints', '1', ...flags)
const newest = (output: string) => {
  const dir = folder.path(output, 'checkpoints')
  const found = existsSync(dir) ? readdirSync(dir) : []
  return Math.max(0, ...found.map((name) => Number(/^step-(\d+)$/.exec(name)?.[1] ?? 0)))
}

beforeAll(() => {
  folder = tinyCase('rel-09')
  // Stands for a launcher that neither passes signals on nor ends with who started it: one process, no ranks.
  mkdirSync(folder.path('bin'))
  const launcher =
    '#!/bin/sh\nwhile [ "${1#-}" != "$1" ] || [ "$1" = 2 ] || [ "$1" = none ]; do shift; done\n"$@"\n'
  writeFileSync(folder.path('bin/mpirun'), launcher)
  chmodSync(folder.path('bin/mpirun'), 0o755)
})
afterAll(() => {
  folder.remove()
})

test('a hang-up writes a checkpoint of the last step and exits 130', async () => {
  const running = folder.start(run('hung-up', '--train.saveEvery', '0'))
  await running.until(() => existsSync(folder.path('hung-up/metrics.jsonl')))
  running.child.kill('SIGHUP')
  const { code, stderr } = await running.ended
  expect(code, stderr).toBe(130)
  expect(stderr).toContain('--resume')
  expect(newest('hung-up')).toBeGreaterThan(0)
}, 30_000)

/** Kills the command in the middle of a run and looks whether anything goes on in the folder. */
async function killed(output: string, env?: NodeJS.ProcessEnv) {
  const running = folder.start(run(output, '--nproc', '2'), env ? { env } : {})
  await running.until(() => newest(output) >= 10)
  running.child.kill('SIGKILL')
  await running.ended
  await sleep(1000)
  const after = newest(output)
  await sleep(700)
  expect(newest(output)).toBe(after)
  // Nobody else holds the folder.
  const resumed = folder.start(run(output, '--resume'))
  await resumed.until(() => newest(output) > after)
  resumed.child.kill('SIGKILL')
  await resumed.ended
}

test('what a killed command has started ends, whatever stands between the two', async () => {
  await killed('stand-in', { PATH: `${folder.path('bin')}:${process.env['PATH']}` })
}, 30_000)

test.skipIf(!mpi)(
  'ranks under mpirun end with the command that started them',
  async () => {
    await killed('ranks')
  },
  60_000,
)

test.skipIf(!mpi)(
  'a hang-up of the command is a checkpoint of its ranks',
  async () => {
    const running = folder.start(run('ranks-hung-up', '--nproc', '2'))
    await running.until(() => newest('ranks-hung-up') >= 10)
    running.child.kill('SIGHUP')
    const { code, stderr } = await running.ended
    expect(code, stderr).toBe(130)
    expect(stderr).toContain('Interrupted')
  },
  60_000,
)

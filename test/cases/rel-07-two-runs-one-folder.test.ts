import { cpSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tinyCase, tinyRun, type CaseFolder, type Running } from './ift.fixture.js'

// One run at a time writes in a folder. Which one is decided at one moment, and a killed one decides nothing.

let folder: CaseFolder
const run = (output: string, ...flags: string[]) => tinyRun(output, 60, '--train.saveEvery', '20', ...flags)
const steps = (output: string) =>
  folder
    .lines(`${output}/metrics.jsonl`)
    .map((line) => (line as { step: number }).step)
    .sort((a, b) => a - b)
const all = Array.from({ length: 60 }, (_, i) => i + 1)

beforeAll(() => {
  folder = tinyCase('rel-07')
})
afterAll(() => {
  folder.remove()
})

/** Of runs started together one ends well and the others are refused. */
async function oneOf(runs: readonly Running[]) {
  const ended = await Promise.all(runs.map(({ ended }) => ended))
  const said = ended.map(({ code, stderr }) => `${code}: ${stderr}`).join('\n')
  expect(ended.filter(({ code }) => code === 0).length, said).toBe(1)
  for (const { code, stderr } of ended) if (code !== 0) expect(stderr).toContain('IFT_RUN_EXISTS')
  return ended
}

test('of two runs begun at once the second is refused, with the process of the first', async () => {
  const ended = await oneOf([
    folder.start(run('run')),
    folder.start(run('run', '--train.learningRate', '0.01')),
  ])
  expect(ended.find(({ code }) => code !== 0)!.stderr).toMatch(
    /A run is under way in .*: process \d+ on |holds a run already/,
  )
  expect(steps('run')).toEqual(all)
  expect(readdirSync(folder.path('run')).filter((name) => name.includes('lock'))).toEqual([])
}, 60_000)

test('a killed run does not block, and of three that go on with it one does', async () => {
  const killed = folder.start(run('killed', '--train.saveEvery', '5'))
  await killed.until(() => existsSync(folder.path('killed/checkpoints/step-10')))
  killed.child.kill('SIGKILL')
  expect((await killed.ended).signal).toBe('SIGKILL')
  cpSync(folder.path('killed'), folder.path('again'), { recursive: true })
  const resume = () => folder.start(run('killed', '--train.saveEvery', '5', '--resume'))
  await oneOf([resume(), resume(), resume()])
  expect(steps('killed')).toEqual(all)
  // The process id of another process, which began at another time, is no life.
  const { pid } = process
  if (existsSync(folder.path('again/run.lock'))) {
    const lock = JSON.parse(folder.read('again/run.lock')) as { started: string }
    writeFileSync(folder.path('again/run.lock'), JSON.stringify({ ...lock, pid }))
  }
  folder.output(...run('again', '--train.saveEvery', '5', '--resume'))
}, 60_000)

test('a run on another machine is believed, and how to end that is said', () => {
  folder.output(...run('away', '--train.maxSteps', '2'))
  for (const part of ['checkpoints', 'adapter']) rmSync(folder.path('away', part), { recursive: true })
  const lock = {
    host: `not-${hostname()}`,
    pid: 1,
    started: '1',
    boot: 'b',
    namespace: 'n',
    since: 'now',
    key: 'k',
  }
  writeFileSync(folder.path('away/run.lock'), JSON.stringify(lock))
  const { code, stderr } = folder.ift(run('away'))
  expect(code, stderr).toBe(1)
  expect(stderr).toContain(`process 1 on not-${hostname()}`)
  expect(stderr).toContain(`rm ${folder.path('away/run.lock')}`)
})

test('what a finished run left is not written over', () => {
  folder.output(...run('done', '--train.maxSteps', '2'))
  rmSync(folder.path('done/checkpoints'), { recursive: true })
  const before = folder.contents('done')
  const { code, stderr } = folder.ift(run('done', '--train.maxSteps', '2'))
  expect(code, stderr).not.toBe(0)
  expect(stderr).toContain('IFT_RUN_EXISTS')
  expect(folder.contents('done')).toEqual(before)
})

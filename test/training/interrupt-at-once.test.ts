import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { caseFolder } from '../cases/ift.fixture.js'
import { quickstartConfig } from '../fixture/quickstart.js'
import { metricsOf } from '../fixture/session.js'

// Real processes that really die while they tokenise beside training, or behind it: the built command line is run, not the sources.

const mpi = spawnSync('mpirun', ['--version'], { encoding: 'utf8' }).status === 0
if (!mpi) console.log('skipped: runs of several CPU ranks need mpirun (apt-get install openmpi-bin)')

const folder = caseFolder('interrupt-at-once')
const cache = folder.path('.ift-cache')
const isKept = () => existsSync(cache) && readdirSync(cache).some((name) => name.endsWith('.samples'))
const clear = () => {
  rmSync(cache, { recursive: true, force: true })
}
const start = (output: string, startAtOnce: 'always' | 'never', ...flags: string[]) =>
  folder.start(['train', '--output', output, '--train.startAtOnce', startAtOnce, ...flags])
const run = async (...args: Parameters<typeof start>) => {
  const { code, stderr } = await start(...args).ended
  expect(code, stderr).toBe(0)
  return stderr
}
const resultOf = (output: string) => ({
  adapter: readFileSync(folder.path(output, 'adapter/adapter_model.safetensors'), 'hex'),
  losses: metricsOf(folder.path(output)).map(({ step, kind, values }) => [step, kind, values['loss']]),
})

beforeAll(async () => {
  const rows = Array.from({ length: 40_000 }, (_, i) =>
    JSON.stringify({ instruction: `row ${i}`, output: 'Yes. '.repeat(i % 9 === 4 ? 900 : 1 + (i % 4)) }),
  )
  writeFileSync(folder.path('rows.jsonl'), rows.join('\n'))
  writeFileSync(
    folder.path('ift.config.json'),
    JSON.stringify({
      ...quickstartConfig,
      ...{ data: './rows.jsonl', device: 'cpu', threads: 1, truncation: 'drop', validation: { size: 30 } },
      train: { ...quickstartConfig.train, maxSteps: 100, saveEvery: 1, evalEvery: 50, logEvery: 1 },
    }),
  )
  await run('straight', 'never')
  clear()
}, 240_000)

afterAll(() => {
  folder.remove()
})

test('killed before and behind the end of tokenising and resumed, a run ends byte for byte as one that was not', async () => {
  const steps = () => {
    const path = folder.path('killed/metrics.jsonl')
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length : 0
  }
  // One that is being written has another name.
  const isWhole = () => {
    const checkpoints = folder.path('killed/checkpoints')
    return existsSync(checkpoints) && readdirSync(checkpoints).some((name) => /^step-\d+$/.test(name))
  }
  for (const hasEnded of [false, true]) {
    const begun = steps()
    const running = start('killed', 'always', ...(hasEnded ? ['--resume'] : []))
    await running.until(() => steps() > begun && isWhole() && (!hasEnded || isKept()))
    expect(isKept()).toBe(hasEnded)
    running.child.kill('SIGKILL')
    expect((await running.ended).signal).toBe('SIGKILL')
    expect(existsSync(folder.path('killed/adapter'))).toBe(false)
  }
  // Once with the samples that were kept.
  const running = start('killed', 'always', '--resume')
  const begun = steps()
  await running.until(() => steps() > begun)
  running.child.kill('SIGKILL')
  await running.ended
  clear()
  expect(await run('killed', 'always', '--resume')).toContain('tokenised while the run trains')
  expect(resultOf('killed')).toEqual(resultOf('straight'))
}, 300_000)

test.skipIf(!mpi)(
  'two ranks that tokenise beside training end as two that did it before',
  async () => {
    await run('two-first', 'never', '--nproc', '2')
    clear()
    await run('two-beside', 'always', '--nproc', '2')
    expect(resultOf('two-beside')).toEqual(resultOf('two-first'))
  },
  300_000,
)

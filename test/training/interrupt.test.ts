import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { caseFolder, type Running } from '../cases/ift.fixture.js'
import { quickstartConfig } from '../fixture/quickstart.js'

// Real processes that really die: the built command line is run, not the sources.

const folder = caseFolder('interrupt')
const steps = 24

const start = (output: string, ...flags: string[]) => folder.start(['train', '--output', output, ...flags])

/** Sends a signal once the run has logged a step. */
async function signalAt(run: Running, output: string, step: number, signal: NodeJS.Signals): Promise<void> {
  const metrics = `${output}/metrics.jsonl`
  await run.until(() => existsSync(folder.path(metrics)) && folder.read(metrics).split('\n').length > step)
  run.child.kill(signal)
}

const adapter = (output: string) => readFileSync(folder.path(output, 'adapter/adapter_model.safetensors'))

beforeAll(async () => {
  writeFileSync(
    folder.path('ift.config.json'),
    JSON.stringify({
      ...quickstartConfig,
      train: { ...quickstartConfig.train, maxSteps: steps, saveEvery: 3 },
    }),
  )
  const { code, stderr } = await start('straight').ended
  expect(code, stderr).toBe(0)
}, 60_000)

afterAll(() => {
  folder.remove()
})

test('a run killed at any step and resumed ends byte for byte as one that was not', async () => {
  // Behind the first checkpoint, so that there is something to go on with.
  const step = 4 + Math.floor(Math.random() * (steps - 8))
  const killed = start('killed')
  const [{ signal }] = await Promise.all([killed.ended, signalAt(killed, 'killed', step, 'SIGKILL')])
  expect(signal, `killed at step ${step}`).toBe('SIGKILL')
  expect(existsSync(folder.path('killed/adapter')), `killed at step ${step}`).toBe(false)
  const { code, stderr } = await start('killed', '--resume').ended
  expect(code, `killed at step ${step}: ${stderr}`).toBe(0)
  expect(stderr).toContain('Resuming from')
  expect(adapter('killed').equals(adapter('straight')), `killed at step ${step}`).toBe(true)
}, 60_000)

test('Ctrl-C writes a checkpoint and exits 130', async () => {
  const stopped = start('stopped')
  const [{ code, stderr }] = await Promise.all([stopped.ended, signalAt(stopped, 'stopped', 2, 'SIGINT')])
  expect(code, stderr).toBe(130)
  expect(stderr).toContain('--resume')
  expect(readdirSync(folder.path('stopped/checkpoints')).length).toBeGreaterThan(0)
  const resumed = await start('stopped', '--resume').ended
  expect(resumed.code, resumed.stderr).toBe(0)
  expect(adapter('stopped').equals(adapter('straight'))).toBe(true)
}, 60_000)

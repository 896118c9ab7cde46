import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { IftConfig } from '@ift/core'
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

/** Methods that carry something from step to step besides what is trained, and LoRA, which does not. */
const methods: Readonly<Record<string, NonNullable<IftConfig['peft']>>> = {
  lora: quickstartConfig.peft!,
  // Killed while it prunes.
  adalora: { method: 'adalora', initR: 4, targetR: 2, tinit: 1, tfinal: 1, deltaT: 2, dropout: 0.1 },
}

const writeConfig = (peft: IftConfig['peft']) => {
  writeFileSync(
    folder.path('ift.config.json'),
    JSON.stringify({
      ...quickstartConfig,
      peft,
      train: { ...quickstartConfig.train, maxSteps: steps, saveEvery: 3 },
    }),
  )
}

beforeAll(async () => {
  writeConfig(methods['lora'])
  const { code, stderr } = await start('straight').ended
  expect(code, stderr).toBe(0)
}, 60_000)

afterAll(() => {
  folder.remove()
})

test.each(Object.keys(methods))(
  'a run of %s killed at any step and resumed ends byte for byte as one that was not',
  async (method) => {
    writeConfig(methods[method])
    let straight = 'straight'
    if (method !== 'lora') {
      straight = `straight-${method}`
      const { code, stderr } = await start(straight).ended
      expect(code, stderr).toBe(0)
    }
    // Behind the first checkpoint, so that there is something to go on with.
    const step = 4 + Math.floor(Math.random() * (steps - 8))
    const output = `killed-${method}`
    const killed = start(output)
    const [{ signal }] = await Promise.all([killed.ended, signalAt(killed, output, step, 'SIGKILL')])
    expect(signal, `killed at step ${step}`).toBe('SIGKILL')
    expect(existsSync(folder.path(output, 'adapter')), `killed at step ${step}`).toBe(false)
    const { code, stderr } = await start(output, '--resume').ended
    expect(code, `killed at step ${step}: ${stderr}`).toBe(0)
    expect(stderr).toContain('Resuming from')
    expect(adapter(output).equals(adapter(straight)), `killed at step ${step}`).toBe(true)
    writeConfig(methods['lora'])
  },
  120_000,
)

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

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { caseFolder } from '../cases/ift.fixture.js'
import { quickstartConfig } from '../fixture/quickstart.js'

// Processes that really die: what is trained and not in the adapter file comes back from the checkpoint.

const folder = caseFolder('interrupt-ptuning')
const steps = 12

afterAll(() => {
  folder.remove()
})

describe.each([
  [
    'p-tuning',
    { method: 'p-tuning', virtualTokens: 6, encoder: 'lstm', encoderHidden: 16, encoderDropout: 0.1 },
  ],
  ['prefix-tuning', { method: 'prefix-tuning', virtualTokens: 6 }],
  ['prefix-projected', { method: 'prefix-tuning', virtualTokens: 6, projection: true, encoderHidden: 16 }],
])('%s', (name, peft) => {
  test('a run killed at any step and resumed ends byte for byte as one that was not', async () => {
    const file = `${name}.config.json`
    const train = { ...quickstartConfig.train, maxSteps: steps, saveEvery: 3 }
    writeFileSync(folder.path(file), JSON.stringify({ ...quickstartConfig, peft, train }))
    const start = (output: string, ...flags: string[]) =>
      folder.start(['train', '-c', file, '--output', output, ...flags])
    const contents = (output: string) =>
      ['adapter_model.safetensors', 'adapter_config.json'].map((of) =>
        readFileSync(folder.path(output, 'adapter', of), 'latin1'),
      )
    const [straight, killed] = [`${name}-straight`, `${name}-killed`]
    const whole = await start(straight).ended
    expect(whole.code, whole.stderr).toBe(0)

    // Behind the first checkpoint, so that there is something to go on with.
    const step = 4 + Math.floor(Math.random() * (steps - 8))
    const run = start(killed)
    const metrics = folder.path(killed, 'metrics.jsonl')
    await run.until(() => existsSync(metrics) && readFileSync(metrics, 'utf8').split('\n').length > step)
    run.child.kill('SIGKILL')
    expect((await run.ended).signal, `killed at step ${step}`).toBe('SIGKILL')
    expect(existsSync(folder.path(killed, 'adapter')), `killed at step ${step}`).toBe(false)
    const resumed = await start(killed, '--resume').ended
    expect(resumed.code, `killed at step ${step}: ${resumed.stderr}`).toBe(0)
    expect(resumed.stderr).toContain('Resuming from')
    expect(contents(killed), `killed at step ${step}`).toEqual(contents(straight))
  }, 90_000)
})

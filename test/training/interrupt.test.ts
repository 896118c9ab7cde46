import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

// Real processes that really die: the built command line is run, not the sources. The folder is inside the repository, where
// the packages are found.

type Run = ChildProcessByStdio<null, null, Readable>

const root = fileURLToPath(new URL('../..', import.meta.url))
const steps = 24
let dir: string

const start = (output: string, ...flags: string[]): Run =>
  spawn(
    process.execPath,
    [join(root, 'packages/cli/bin/ift.js'), 'train', '-c', dir, '--output', output, ...flags],
    { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, NO_COLOR: '1' } },
  )

async function end(run: Run): Promise<{ code: number | null; signal: string | null; said: string }> {
  let said = ''
  run.stderr.on('data', (data: Buffer) => (said += data.toString()))
  const [code, signal] = (await once(run, 'close')) as [number | null, string | null]
  return { code, signal, said }
}

/** Sends a signal once the run has logged a step. */
async function signalAt(run: Run, output: string, step: number, signal: NodeJS.Signals): Promise<void> {
  const metrics = join(dir, output, 'metrics.jsonl')
  const logged = () => (existsSync(metrics) ? readFileSync(metrics, 'utf8').split('\n').length - 1 : 0)
  while (logged() < step && run.exitCode === null) await sleep(5)
  run.kill(signal)
}

const adapter = (output: string) => readFileSync(join(dir, output, 'adapter/adapter_model.safetensors'))

beforeAll(async () => {
  mkdirSync(join(root, 'runs'), { recursive: true })
  dir = mkdtempSync(join(root, 'runs/interrupt-'))
  writeFileSync(
    join(dir, 'ift.config.json'),
    JSON.stringify({
      weights: join(root, 'examples/quickstart/model'),
      initialize: true,
      data: [join(root, 'examples/quickstart/data/bilingual.jsonl')],
      template: 'alpaca',
      maxLength: 160,
      peft: { method: 'lora', r: 4, dropout: 0.1 },
      train: { batchSize: 4, maxSteps: steps, saveEvery: 3, evalEvery: 0, microBatchTokens: 320 },
    }),
  )
  const { code, said } = await end(start('straight'))
  expect(code, said).toBe(0)
}, 60_000)

afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})

test('a run killed at any step and resumed ends byte for byte as one that was not', async () => {
  // Behind the first checkpoint, so that there is something to go on with.
  const step = 4 + Math.floor(Math.random() * (steps - 8))
  const killed = start('killed')
  const [{ signal }] = await Promise.all([end(killed), signalAt(killed, 'killed', step, 'SIGKILL')])
  expect(signal, `killed at step ${step}`).toBe('SIGKILL')
  expect(existsSync(join(dir, 'killed/adapter')), `killed at step ${step}`).toBe(false)
  const { code, said } = await end(start('killed', '--resume'))
  expect(code, `killed at step ${step}: ${said}`).toBe(0)
  expect(said).toContain('Resuming from')
  expect(adapter('killed').equals(adapter('straight')), `killed at step ${step}`).toBe(true)
}, 60_000)

test('Ctrl-C writes a checkpoint and exits 130', async () => {
  const stopped = start('stopped')
  const [{ code, said }] = await Promise.all([end(stopped), signalAt(stopped, 'stopped', 2, 'SIGINT')])
  expect(code, said).toBe(130)
  expect(said).toContain('--resume')
  expect(readdirSync(join(dir, 'stopped/checkpoints')).length).toBeGreaterThan(0)
  const resumed = await end(start('stopped', '--resume'))
  expect(resumed.code, resumed.said).toBe(0)
  expect(adapter('stopped').equals(adapter('straight'))).toBe(true)
}, 60_000)

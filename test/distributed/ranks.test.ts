import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { root } from '../fixture/files.js'
import { quickstartConfig } from '../fixture/quickstart.js'
import { adaptersApart } from '../fixture/ranks.js'
import { metricsOf } from '../fixture/session.js'

// Real runs of the built command line over several processes. The folder is inside the repository, where the packages are
// found.

const mpi = spawnSync('mpirun', ['--version'], { encoding: 'utf8' }).status === 0
if (!mpi) console.log('skipped: runs of several CPU ranks need mpirun (apt-get install openmpi-bin)')

let dir: string

/** What rank 1 does instead of its work, by the environment variable FAULT. */
const fault = `
export const plugin = {
  name: 'fault',
  api: 1,
  apply(ift) {
    const wanted = process.env.FAULT
    if (process.env.OMPI_COMM_WORLD_RANK !== '1' || !wanted) return
    if (wanted === 'late') ift.hooks.modelLoaded.tapPromise('fault', () => new Promise((resolve) => setTimeout(resolve, 60000)))
    if (wanted === 'other-data')
      ift.hooks.example.tap('fault', (example) => example && { ...example, instruction: example.instruction + '!' })
    ift.hooks.trainer.tap('fault', ({ hooks }) => {
      hooks.step.tapPromise('fault', async ({ step }) => {
        if (step < 3) return
        if (wanted === 'throw') throw new Error('the lights went out')
        if (wanted === 'kill') process.kill(process.pid, 'SIGKILL')
        if (wanted === 'hang') await new Promise((resolve) => setTimeout(resolve, 60000))
      })
    })
  },
}
`

interface Ended {
  readonly code: number | null
  readonly said: string
}

function start(output: string, flags: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(
    process.execPath,
    [join(root, 'packages/cli/bin/ift.js'), 'train', '-c', dir, '--output', output, ...flags],
    { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, NO_COLOR: '1', ...env } },
  )
  let said = ''
  child.stderr.on('data', (data: Buffer) => (said += data.toString()))
  const ended = once(child, 'close').then(([code]): Ended => ({ code: code as number | null, said }))
  return { child, ended }
}

const run = (output: string, flags: readonly string[], env?: NodeJS.ProcessEnv) =>
  start(output, flags, env).ended

const steps = 8

beforeAll(() => {
  mkdirSync(join(root, 'runs'), { recursive: true })
  dir = mkdtempSync(join(root, 'runs/ranks-'))
  writeFileSync(join(dir, 'fault.mjs'), fault)
  writeFileSync(
    join(dir, 'ift.config.json'),
    JSON.stringify({
      ...quickstartConfig,
      device: 'cpu',
      plugins: ['./fault.mjs'],
      validation: { size: 10 },
      peft: { method: 'lora', r: 4, dropout: 0 },
      train: {
        batchSize: 6,
        maxSteps: steps,
        saveEvery: 4,
        evalEvery: 4,
        microBatchTokens: 320,
        learningRate: 0.003,
      },
    }),
  )
})

afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})

const metrics = (output: string) => metricsOf(join(dir, output))

const distance = async (a: string, b: string) =>
  (await adaptersApart(join(dir, a, 'adapter'), join(dir, b, 'adapter'))).worst

test.skipIf(!mpi)(
  'two and three ranks train as one with the whole batch, and only the first writes',
  async () => {
    for (const ranks of [1, 2, 3]) {
      const { code, said } = await run(`ranks-${ranks}`, ['--nproc', String(ranks)])
      expect(code, said).toBe(0)
      // One process speaks.
      expect(said.match(/^Plan$/gm), said).toHaveLength(1)
      expect(metrics(`ranks-${ranks}`)).toHaveLength(steps + 2)
    }
    const alone = metrics('ranks-1')
    for (const output of ['ranks-2', 'ranks-3']) {
      for (const [i, { step, kind, values }] of metrics(output).entries()) {
        const expected = alone[i]!
        expect([step, kind]).toEqual([expected.step, expected.kind])
        expect(values['loss'], `loss of step ${step}`).toBeCloseTo(expected.values['loss']!, 4)
        if (kind !== 'train') continue
        expect(values['gradientNorm'], `norm of step ${step}`).toBeCloseTo(
          expected.values['gradientNorm']!,
          4,
        )
        for (const name of ['tokens', 'trainedTokens']) expect(values[name]).toBe(expected.values[name])
      }
      expect(await distance('ranks-1', output)).toBeLessThan(2e-4)
    }
    // The weights have moved further than the runs are apart.
    const { values } = alone.at(-1)!
    expect(values['loss']).toBeLessThan(alone[0]!.values['loss']! - 0.05)
  },
  60_000,
)

test.skipIf(!mpi)(
  'a rank that is killed ends the run, which goes on from its checkpoint with every rank',
  async () => {
    const killed = await run('killed', ['--nproc', '2', '--train.saveEvery', '2'], { FAULT: 'kill' })
    expect(killed.code).not.toBe(0)
    expect(killed.said).toMatch(/rank 1 .*signal 9/)
    expect(existsSync(join(dir, 'killed/adapter'))).toBe(false)
    const { code, said } = await run('killed', ['--nproc', '2', '--resume'])
    expect(code, said).toBe(0)
    expect(said).toMatch(/Resuming from .*step-2/)
    const file = 'adapter/adapter_model.safetensors'
    const bytes = (output: string) => readFileSync(join(dir, output, file))
    expect(bytes('killed').equals(bytes('ranks-2'))).toBe(true)
    // Another number of ranks goes on just as well.
    rmSync(join(dir, 'killed/checkpoints/step-8'), { recursive: true })
    const fewer = await run('killed', ['--resume'])
    expect(fewer.code, fewer.said).toBe(0)
    expect(fewer.said).toMatch(/Resuming from .*step-4/)
    expect(await distance('killed', 'ranks-2')).toBeLessThan(2e-4)
  },
  60_000,
)

test.skipIf(!mpi)(
  'the message of a rank that fails is the last word',
  async () => {
    const { code, said } = await run('thrown', ['--nproc', '2'], { FAULT: 'throw' })
    expect(code).toBe(1)
    expect(said).toMatch(/^rank 1: error .*the lights went out/m)
    expect(said).toMatch(/^rank 1: IFT_PLUGIN_FAILED/m)
  },
  60_000,
)

test.skipIf(!mpi).each([
  ['late', /error all-?gather: rank 1 of 2 did not come: rank 0 waited 3 s/i],
  ['hang', /error all-?(reduce|gather): rank 1 of 2 did not come: rank 0 waited 3 s/i],
])(
  'a rank that does not come (%s) is named, and nothing hangs',
  async (what, message) => {
    const { code, said } = await run(`missing-${what}`, ['--nproc', '2', '--ranks.timeout', '3'], {
      FAULT: what,
    })
    expect(code, said).toBe(1)
    expect(said).toMatch(message)
    expect(said).toContain('IFT_RANK_MISSING')
  },
  60_000,
)

test.skipIf(!mpi)(
  'ranks with other data are told apart before the first step',
  async () => {
    const { code, said } = await run('differ', ['--nproc', '2'], { FAULT: 'other-data' })
    expect(code).toBe(1)
    expect(said).toMatch(
      /training data sha256: rank 1 has rows-1:[0-9a-f]{64}, rank 0 has rows-1:[0-9a-f]{64}/,
    )
    expect(said).toContain('IFT_RANKS_DIFFER')
    expect(existsSync(join(dir, 'differ'))).toBe(false)
  },
  60_000,
)

test.skipIf(!mpi)(
  'Ctrl-C writes one checkpoint for all ranks and exits 130',
  async () => {
    const { child, ended } = start('stopped', ['--nproc', '2', '--train.maxSteps', '400'])
    const file = join(dir, 'stopped/metrics.jsonl')
    while (!(existsSync(file) && readFileSync(file, 'utf8').includes('\n')) && child.exitCode === null)
      await sleep(10)
    child.kill('SIGINT')
    const { code, said } = await ended
    expect(code, said).toBe(130)
    expect(said).toContain('npx ift train --resume')
    expect(readdirSync(join(dir, 'stopped/checkpoints'))).toHaveLength(1)
  },
  60_000,
)

test('CPU ranks of a launcher without MPI are refused with the line to type', async () => {
  const { code, said } = await run('refused', [], {
    RANK: '1',
    WORLD_SIZE: '2',
    LOCAL_RANK: '1',
    MASTER_ADDR: '127.0.0.1',
    MASTER_PORT: '29400',
  })
  expect(code).toBe(2)
  expect(said).toMatch(/rank 1: error torchrun started rank 1 of 2 without MPI/)
  expect(said).toContain('npx ift train --nproc 2')
})

/** A device that begins as NCCL does: an id of rank 0 for all, then a wait for the others, which never ends here. */
const device = `
import { writeFileSync } from 'node:fs'
export const plugin = {
  name: 'device',
  api: 1,
  apply(ift) {
    ift.hooks.backend.for('cuda').tap('device', () => ({
      name: 'cuda',
      async open({ index, ranks: { place, exchange } }) {
        const id = await exchange(place.rank === 0 ? Uint8Array.of(4, 8, 15) : null)
        writeFileSync('id-' + place.rank, JSON.stringify([...id, index, place.worldSize, place.localSize]))
        if (place.rank === 1 && process.env.FAULT === 'throw') throw new Error('the card is on fire')
        if (place.rank === 1 && process.env.FAULT === 'kill') process.kill(process.pid, 'SIGKILL')
        return new Promise((resolve) => setTimeout(resolve, 60000))
      },
    }))
  },
}
`

test.each([
  ['throw', 1, 'the card is on fire'],
  ['kill', 1, 'its process has ended.'],
])(
  'GPU ranks of this machine share the id of rank 0, and one that fails (%s) ends all',
  async (what, code, message) => {
    writeFileSync(join(dir, 'device.mjs'), device)
    const flags = ['--nproc', '3', '--device', 'cuda', '--plugins', './device.mjs']
    const ended = await run(`device-${what}`, flags, { FAULT: what })
    expect(ended.code === code || ended.code === 137, ended.said).toBe(true)
    for (const rank of [0, 1, 2])
      expect(JSON.parse(readFileSync(join(dir, `id-${rank}`), 'utf8'))).toEqual([4, 8, 15, rank, 3, 3])
    expect(ended.said).toContain(`error Rank 1 failed: ${message}`)
    expect(ended.said).toContain('IFT_RANK_FAILED')
    if (what === 'throw') expect(ended.said).toMatch(/^rank 1: .*the card is on fire/m)
    else expect(ended.said).toContain('rank 1 was ended by SIGKILL')
  },
  60_000,
)

test('ranks of torchrun meet behind the port of its agent', async () => {
  writeFileSync(join(dir, 'device.mjs'), device)
  const flags = ['--device', 'cuda', '--plugins', './device.mjs']
  const port = 30000 + (process.pid % 2000)
  const ranks = [0, 1].map((rank) =>
    run(`torchrun-${rank}`, flags, {
      RANK: String(rank),
      WORLD_SIZE: '2',
      LOCAL_RANK: String(rank),
      LOCAL_WORLD_SIZE: '2',
      MASTER_ADDR: '127.0.0.1',
      MASTER_PORT: String(port),
      TORCHELASTIC_RUN_ID: 'run',
      TORCHELASTIC_USE_AGENT_STORE: 'True',
      FAULT: 'throw',
    }),
  )
  const [first, second] = await Promise.all(ranks)
  expect(first!.said).toContain('error Rank 1 failed: the card is on fire')
  expect(second!.said).toContain('the card is on fire')
  expect([first!.code, second!.code]).toEqual([1, 1])
})

test('a GPU rank whose others never start names them', async () => {
  writeFileSync(join(dir, 'device.mjs'), device)
  const flags = ['--device', 'cuda', '--plugins', './device.mjs', '--ranks.timeout', '1']
  const port = 20000 + (process.pid % 10000)
  const { code, said } = await run('device-alone', flags, {
    IFT_RANK: '0',
    IFT_WORLD_SIZE: '3',
    IFT_MASTER_ADDR: '127.0.0.1',
    IFT_MASTER_PORT: String(port),
  })
  expect(code, said).toBe(1)
  expect(said).toContain('ranks 1, 2 of 3 did not come: rank 0 waited 1 s')
})

test('--nproc without mpirun names what to install, and a count that is none is refused', async () => {
  const { code, said } = await run('no-mpirun', ['--nproc', '2'], { PATH: dir })
  expect(code).toBe(2)
  expect(said).toContain('apt-get install openmpi-bin')
  expect((await run('no-count', ['--nproc', 'many'])).code).toBe(2)
})

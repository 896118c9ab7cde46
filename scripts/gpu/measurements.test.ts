import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { CaseFailure, runCases, type Case } from '../../bench/gpu/cases.js'
import { smokeCases } from '../../bench/gpu/smoke.js'
import { Timing, tried } from '../../bench/gpu/timing.js'
import { train } from '../../bench/gpu/train.js'
import { modelFolder } from '../../bench/shapes.mjs'
import { openCpu } from '../../packages/kernels-cpu/src/index.js'
import { emulatedIsBuilt } from '../../packages/kernels-cuda/src/emulated.fixture.js'

let models: string
beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'ift-bench-'))
  vi.stubEnv('IFT_BENCH_MODELS', models)
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await rm(models, { recursive: true })
})

const options = (seq: number) => ({
  weights: modelFolder('tiny'),
  batch: 1,
  seq,
  steps: 1,
  warmup: 1,
  rank: 4,
  dtype: 'bf16' as const,
  recompute: 'none' as const,
  nf4: false,
  alpaca: false,
  parameters: 0,
  peakTflops: 1,
  profile: false,
  keep: undefined,
})

describe('the bench model', () => {
  test('takes sequences of 4096 tokens whole; longer ones would be cut and are refused', async () => {
    expect(await train('cpu', options(4096))).toMatchObject({ batch: 1, seq: 4096 })
    await expect(train('cpu', options(4100))).rejects.toThrow(
      'a step of 1 x 4100 had 4096 tokens, expected 4100',
    )
  })

  test('names the framework of its weights, as transformers asks', async () => {
    const file = await readFile(join(modelFolder('tiny'), 'model.safetensors'))
    const header = JSON.parse(file.toString('utf8', 8, 8 + Number(file.readBigUInt64LE(0)))) as object
    expect(header).toHaveProperty('__metadata__', { format: 'pt' })
  })
})

/** Lines that cases print. */
async function lines(
  cases: readonly Case[],
  names: readonly string[],
  isUsable: boolean,
): Promise<Record<string, unknown>[]> {
  const written: string[] = []
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written.push(String(text))
    return true
  })
  try {
    await runCases(cases, names, () => Promise.resolve(isUsable))
  } finally {
    write.mockRestore()
  }
  return written.map((line) => JSON.parse(line) as Record<string, unknown>)
}

describe('cases', () => {
  const ok = (name: string): Case => ({ name, run: () => Promise.resolve({ seen: name }) })
  const bad: Case = { name: 'bad', run: () => Promise.reject(new Error('CUDA error 700')) }

  test('a line each, and the rest after a failure that the device survives', async () => {
    expect(await lines([ok('a'), bad, ok('b')], [], true)).toMatchObject([
      { case: 'a', status: 'ok', result: { seen: 'a' } },
      { case: 'bad', status: 'failed', reason: expect.stringContaining('CUDA error 700') as string },
      { case: 'b', status: 'ok' },
    ])
  })

  test('a failure shows what was found', async () => {
    const run = () => Promise.reject(new CaseFailure('1 of 2 kernels', { kernels: ['a', 'b'] }))
    expect(await lines([{ name: 'inventory', run }], [], true)).toMatchObject([
      { status: 'failed', result: { kernels: ['a', 'b'] } },
    ])
  })

  test('a device that no longer works ends them', async () => {
    expect(await lines([ok('a'), bad, ok('b')], [], false)).toHaveLength(2)
  })

  test('by name; a name that is none is refused', async () => {
    expect(await lines([ok('a'), ok('b')], ['b'], true)).toMatchObject([{ case: 'b' }])
    await expect(lines([ok('a')], ['c'], true)).rejects.toThrow('no case is named c')
  })
})

describe('timing', () => {
  test('recorded, queued where recording fails, an error where the kernel does; nothing is left', async () => {
    const backend = openCpu()
    const rows: object[] = []
    const timing = new Timing(backend, { ...tried, rotate: 1000 }, (row) => rows.push(row))
    let sets = 0
    const make = () => {
      const [x, y] = [timing.buffer(64, 'f32'), timing.buffer(64, 'f32')]
      sets++
      return () => backend.mul(y, x, x, 64, 'f32')
    }
    await timing.time('mul', '64', { bytes: 768 }, make)
    // Two buffers of 256 bytes: the second set passes 1000 bytes.
    expect(sets).toBe(2)
    const record = vi.spyOn(backend, 'record').mockImplementation(() => {
      throw new Error('not while capturing')
    })
    await timing.time('mul', '64', { flop: 64 }, make)
    record.mockRestore()
    await timing.time('mul', 'too long', {}, () => {
      const x = timing.buffer(8, 'f32')
      return () => backend.mul(x, x, x, 64, 'f32')
    })
    expect(rows).toMatchObject([
      { kernel: 'mul', shape: '64', timing: 'recorded', sets: 2, gbPerS: expect.any(Number) as number },
      { timing: 'queued', reason: 'Error: not while capturing', tflopPerS: expect.any(Number) as number },
      { kernel: 'mul', shape: 'too long', error: expect.stringContaining('does not fit') as string },
    ])
    expect(backend.memory().buffers).toBe(0)
    backend.close()
  })
})

describe.skipIf(!emulatedIsBuilt())('smoke', () => {
  test('every case passes on the emulator, and products of all kinds are among them', async () => {
    const cases = smokeCases('emulated')
    const found = await lines(cases, [], true)
    expect(found.filter(({ status }) => status !== 'ok')).toEqual([])
    expect(found.filter(({ case: name }) => String(name).startsWith('product'))).toHaveLength(40)
  })
})

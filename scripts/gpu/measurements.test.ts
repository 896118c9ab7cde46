import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { runCases, type Case } from '../../bench/gpu/cases.js'
import { smokeCases } from '../../bench/gpu/smoke.js'
import { train } from '../../bench/gpu/train.js'
import { modelFolder } from '../../bench/shapes.mjs'
import { emulatedIsBuilt } from '../../packages/kernels-cuda/src/emulated.js'

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

  test('a device that no longer works ends them', async () => {
    expect(await lines([ok('a'), bad, ok('b')], [], false)).toHaveLength(2)
  })

  test('by name; a name that is none is refused', async () => {
    expect(await lines([ok('a'), ok('b')], ['b'], true)).toMatchObject([{ case: 'b' }])
    await expect(lines([ok('a')], ['c'], true)).rejects.toThrow('no case is named c')
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

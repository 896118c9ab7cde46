import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openAdapter, type IftConfig, type OpenModel } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as bloom } from '@ift/model-bloom'
import { plugin as ptuning } from '@ift/peft-ptuning'
import { fixture, readObject } from '../fixture/files.js'
import { worst } from '../fixture/golden.js'
import { logitsBehind } from '../fixture/ptuning.js'
import { sessionsIn, trainsIn } from '../fixture/session.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-ptuning-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})

const records = Array.from({ length: 12 }, (_, i) => ({ instruction: `say ${i}`, output: `number ${i}` }))
writeFileSync(join(dir, 'data.json'), JSON.stringify(records))

const config = (output: string, peft: IftConfig['peft'], more: Partial<IftConfig> = {}): IftConfig => ({
  weights: fixture('bloom/tiny'),
  data: ['data.json'],
  template: 'alpaca',
  dtype: 'f32',
  device: 'cpu',
  threads: 2,
  train: { batchSize: 4, maxSteps: 6, saveEvery: 2, learningRate: 0.02 },
  generate: { maxNewTokens: 6 },
  ...{ output, ...(peft && { peft }) },
  ...more,
})

const session = sessionsIn(dir, [cpu, bloom, ptuning])
const train = trainsIn(session)
const adapterOf = (output: string) => join(dir, output, 'adapter')
const bytesOf = (output: string) => readFileSync(join(adapterOf(output), 'adapter_model.safetensors'))
const rowsOf = async (folder: string) => (await openAdapter(folder)).read('prompt_embeddings')

const kinds: readonly (readonly [string, IftConfig['peft'] & object])[] = [
  ['prompt', { method: 'prompt-tuning', virtualTokens: 4 }],
  ['lstm', { method: 'p-tuning', virtualTokens: 4, encoder: 'lstm', encoderHidden: 6, encoderDropout: 0.2 }],
  ['prefix', { method: 'prefix-tuning', virtualTokens: 4 }],
  ['projected', { method: 'prefix-tuning', virtualTokens: 4, projection: true, encoderHidden: 8 }],
]

describe.each(kinds)('%s', (name, peft) => {
  beforeAll(async () => {
    await train(config(name, peft))
  })

  const using = (more: Partial<IftConfig> = {}) =>
    config('unused', undefined, { adapter: adapterOf(name), ...more })

  test('cut and resumed it ends in the same bytes', async () => {
    await train(config(`${name}-cut`, peft), { stopAfter: 3 })
    await train(config(`${name}-cut`, peft), { resume: true })
    expect(bytesOf(`${name}-cut`).equals(bytesOf(name))).toBe(true)
  })

  test('text from pages, alone, in a batch and by beams, is that of passes over all tokens', async () => {
    const prompts = ['say 3', 'say 11 and more', 'x']
    await session(using(), async (ift) => {
      const open: OpenModel = await ift.openModel()
      const generator = await ift.createGenerator(open)
      const adapted = { model: open.model, backend: open.backend, peft: open.peft! }
      const greedy = { doSample: false, maxNewTokens: 6 }
      const batch = await generator.generateAll(prompts, greedy)
      const beams = await generator.generateAll(prompts, { ...greedy, numBeams: 3 })
      for (const [i, prompt] of prompts.entries()) {
        const alone = await generator.generate(prompt, greedy)
        const start = [...(await generator.encode(prompt))]
        const { vocab } = open.shape
        const scoresAt = async (ids: readonly number[]) => {
          const logits = (await logitsBehind(adapted, [ids])).subarray(-vocab)
          const most = logits.reduce((a, b) => Math.max(a, b), -Infinity)
          const sum = logits.reduce((total, value) => total + Math.exp(value - most), 0)
          return logits.map((value) => value - most - Math.log(sum))
        }
        const ids = [...start]
        for (const id of alone.ids) {
          const scores = await scoresAt(ids)
          expect(id).toBe(scores.indexOf(scores.reduce((a, b) => Math.max(a, b), -Infinity)))
          ids.push(id)
        }
        expect(alone.ids.length).toBeGreaterThan(0)
        expect([...batch[i]!.ids]).toEqual([...alone.ids])
        // Beams, by a search over whole passes.
        let open_: { ids: number[]; score: number }[] = [{ ids: [], score: 0 }]
        for (let step = 0; step < beams[i]!.ids.length; step++) {
          const next: { ids: number[]; score: number }[] = []
          for (const beam of open_)
            for (const [id, score] of (await scoresAt([...start, ...beam.ids])).entries())
              if (id !== open.tokenizer.eosId)
                next.push({ ids: [...beam.ids, id], score: beam.score + score })
          open_ = next.sort((a, b) => b.score - a.score).slice(0, 3)
        }
        expect(open_.map((beam) => beam.ids.join())).toContain([...beams[i]!.ids].join())
        const scored = await generator.score([...start, ...alone.ids])
        const last = await scoresAt([...start, ...[...alone.ids].slice(0, -1)])
        expect(scored.at(-1)).toBeCloseTo(last[[...alone.ids].at(-1)!]!, 4)
      }
    })
  })

  test('an adapter is trained on: what it begins with is what it was', async () => {
    const output = `${name}-further`
    const settings = { ...config('', undefined).train, maxSteps: 1, learningRate: 1e-30 }
    const { method: _method, virtualTokens: _count, ...made } = peft
    await session(using({ output, peft: {}, train: settings }), async (ift) => {
      const training = await ift.createTraining()
      const lost = Object.keys(made).length > 0
      expect(training.notes.join('\n').includes('training goes on on the rows themselves')).toBe(lost)
      expect(training.notes.join('\n')).toContain('no weight of the base can express')
      await training.run()
    })
    expect(bytesOf(output).equals(bytesOf(name))).toBe(true)
    const before = readObject(join(adapterOf(name), 'adapter_config.json'))
    expect(readObject(join(adapterOf(output), 'adapter_config.json'))).toEqual(before)
  })

  test('it is not merged, and the reason is said', async () => {
    const merged = session(using(), (ift) => ift.merge('merged'))
    await expect(merged).rejects.toMatchObject({ code: 'IFT_MERGE_IMPOSSIBLE' })
    await expect(merged).rejects.toThrow('no weight of the base can express')
  })
})

test.each([
  ['text-cut', { virtualTokens: 5, initText: 'Below is an instruction that describes a task.' }],
  ['text-repeated', { virtualTokens: 25, initText: 'Answer the question.' }],
] as const)('%s starts as with PEFT', async (name, options) => {
  const settings = { ...config('', undefined).train, maxSteps: 1, learningRate: 1e-30 }
  await train(config(name, { method: 'prompt-tuning', init: 'text', ...options }, { train: settings }))
  const folder = fixture('peft-ptuning', name)
  expect(worst(await rowsOf(adapterOf(name)), await rowsOf(folder))).toBe(0)
  const { peft_version: _version, ...fields } = readObject(join(folder, 'adapter_config.json'))
  const { base_model_name_or_path: base, ...written } = readObject(
    join(adapterOf(name), 'adapter_config.json'),
  )
  expect(written).toEqual({ ...fields, base_model_name_or_path: undefined, tokenizer_name_or_path: base })
})

// Several adapters of a config: named, used for a batch, added up, merged.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAdapter, writeAdapter, type GenerateOptions, type Ift, type IftConfig } from '@ift/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { quickstart, readObject } from '../fixture/files.js'
import { pluginsOf } from '../fixture/models.js'
import { sessionsIn, type WithSession } from '../fixture/session.js'

const cwd = mkdtempSync(join(tmpdir(), 'ift-several-'))
afterAll(() => {
  rmSync(cwd, { recursive: true })
})
const at = (name: string) => join(cwd, name)
const weights = quickstart('model')
const plain: IftConfig = { weights, device: 'cpu', dtype: 'f32', threads: 2, generate: { maxNewTokens: 8 } }

let session: WithSession

/** Adapters with random numbers, which change what the model says. */
async function make(name: string, peft: IftConfig['peft'], record: object): Promise<void> {
  await session({ ...plain, peft }, async (ift) => {
    const { peft: handle, backend } = await ift.openModel({ training: true })
    let seed = name.length
    for (const { parameter } of handle!.trainable()) {
      const values = Float32Array.from(
        { length: parameter.master.size },
        (_, i) => Math.sin(++seed * 7.3 + i) * 0.1,
      )
      backend.write(parameter.master.buf, values)
    }
    const ours = JSON.stringify({ template: 'alpaca', ...record })
    await writeAdapter(at(name), await handle!.save(), new Map([['ift.json', ours]]))
  })
}

beforeAll(async () => {
  session = sessionsIn(cwd, await pluginsOf(/^(model-llama|peft-lora|tokenizers|kernels-cpu)$/))
  await make('zh', { method: 'lora', r: 4, targetModules: 'all-linear' }, {})
  await make('cot', { method: 'lora', r: 8 }, {})
  await make('whole', { method: 'lora', r: 2, modulesToSave: ['norm'] }, {})
  await make('other', { method: 'lora', r: 2 }, { template: 'plain', quantize: 'nf4' })
})

const prompts = ['Name a colour.', 'Where is it?', 'Count to three.', 'Say hello.', 'What is red?'].map(
  (instruction) => ({ instruction, input: '' }),
)

/** The options of each prompt, with one adapter for all or one each. */
const optionsOf = (options: GenerateOptions, adapter?: string | null | (string | null)[]) =>
  prompts.map((_, i) => ({ ...options, adapter: Array.isArray(adapter) ? adapter[i] : adapter }))

const answersOf = async (ift: Ift, adapter?: string | null | (string | null)[]) => {
  const generator = await ift.createGenerator(await opened(ift))
  const answers = await generator.generateAll(prompts, optionsOf({ maxNewTokens: 8 }, adapter))
  return answers.map(({ ids }) => [...ids].join(' '))
}

const models = new WeakMap<Ift, ReturnType<Ift['openModel']>>()
function opened(ift: Ift) {
  const model = models.get(ift) ?? ift.openModel()
  models.set(ift, model)
  return model
}

test.each([1, 3])('a batch answers each prompt with its adapter, with %s beams', async (numBeams) => {
  const adapter = { zh: at('zh'), cot: at('cot'), whole: at('whole') }
  const alone = new Map<string | null, string[]>()
  const generate = (ift: Ift, of?: string | null | (string | null)[]) =>
    opened(ift)
      .then((open) => ift.createGenerator(open))
      .then((generator) => generator.generateAll(prompts, optionsOf({ maxNewTokens: 8, numBeams }, of)))
      .then((answers) => answers.map(({ ids }) => [...ids].join(' ')))
  for (const [name, path] of [[null, undefined], ...Object.entries(adapter)] as [
    string | null,
    string | undefined,
  ][])
    await session({ ...plain, template: 'alpaca', adapter: path }, async (ift) => {
      alone.set(name, await generate(ift))
    })
  expect(new Set([...alone.values()].map((answers) => answers.join())).size).toBe(4)
  await session({ ...plain, adapter }, async (ift) => {
    const { adapters, peft } = await opened(ift)
    expect([peft, adapters!.names, adapters!.active]).toEqual([null, ['zh', 'cot', 'whole'], 'zh'])
    expect(await generate(ift)).toEqual(alone.get('zh'))
    expect(await generate(ift, null)).toEqual(alone.get(null))
    const each = ['zh', null, 'whole', 'cot', 'zh']
    expect(await generate(ift, each)).toEqual(each.map((name, i) => alone.get(name)![i]))
    expect(adapters!.active).toBe('zh')
    adapters!.use('cot')
    expect(await generate(ift)).toEqual(alone.get('cot'))
    // Whatever generation made is freed with it.
    const { backend } = await opened(ift)
    const generator = await ift.createGenerator(await opened(ift))
    const buffers = () => backend.memory().buffers
    await generator.generateAll(prompts, optionsOf({ maxNewTokens: 3, numBeams }, each))
    const before = buffers()
    await generator.generateAll(prompts, optionsOf({ maxNewTokens: 3, numBeams }, each))
    expect(buffers()).toBe(before)
    await expect(generate(ift, 'cto')).rejects.toMatchObject({ code: 'IFT_ADAPTER_NAME' })
  })
})

test('a list names adapters by their folders', async () => {
  await session({ ...plain, adapter: [at('zh'), `two=${at('cot')}`] }, async (ift) => {
    expect((await opened(ift)).adapters!.names).toEqual(['zh', 'two'])
    expect(await answersOf(ift, 'zh')).not.toEqual(await answersOf(ift, 'two'))
  })
})

test.each([
  [
    { adapter: { a: 'zh', b: 'other' } },
    'IFT_ADAPTERS_BASE',
    /"a" was trained with the template alpaca, "b" .* plain/,
  ],
  [
    { adapter: { a: 'zh', b: 'other' }, template: 'alpaca' },
    'IFT_ADAPTERS_BASE',
    /"a" .*quantize none, "b" .*quantize nf4/,
  ],
  [{ adapter: { base: 'zh' } }, 'IFT_ADAPTER_NAME', /"base" is the model without an adapter/],
  [{ adapter: ['zh', './zh'] }, 'IFT_CONFIG_INVALID', /adapter names "zh" twice/],
  [{ adapter: { 'a b': 'zh' } }, 'IFT_ADAPTER_NAME', /"a b" cannot be the name/],
] as const)('%j is refused', async (config, code, message) => {
  const opening = session({ ...plain, ...(config as IftConfig) }, (ift) => ift.openModel())
  await expect(opening).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string })
})

test('training goes on from one adapter', async () => {
  const training = session({ ...plain, adapter: { a: at('zh'), b: at('cot') } }, (ift) => ift.planTraining())
  await expect(training).rejects.toMatchObject({ code: 'IFT_CONFIG_INVALID' })
})

test('adapters are added up into one that is used like any other, or into the model', async () => {
  const adapter = { zh: at('zh'), cot: at('cot') }
  const sum = { weights: { zh: 0.75, cot: -0.5 } }
  await session({ ...plain, adapter }, async (ift) => {
    await ift.sumAdapters('sum', sum)
    const merged = await ift.merge('merged', sum)
    expect(merged.logitDifference).toBeLessThan(1e-3)
    await expect(ift.merge('other-merged')).rejects.toMatchObject({ code: 'IFT_USAGE' })
    await expect(ift.sumAdapters('none', { weights: { zg: 1 } })).rejects.toMatchObject({
      code: 'IFT_ADAPTER_NAME',
    })
    await expect(ift.sumAdapters('zh', sum)).rejects.toMatchObject({ code: 'IFT_FOLDER_IN_USE' })
  })
  const source = await openAdapter(at('sum'))
  expect(source.config).toMatchObject({ r: 12, lora_alpha: 12, base_model_name_or_path: weights })
  expect(readObject(at('sum/ift.json'))).toMatchObject({ template: 'alpaca' })
  expect(existsSync(at('sum/tokenizer.json')) || existsSync(at('sum/tokenizer.model'))).toBe(true)
  const answers: string[][] = []
  for (const config of [{ adapter: at('sum') }, { weights: at('merged') }])
    await session({ ...plain, ...config }, async (ift) => {
      answers.push(await answersOf(ift))
    })
  expect(answers[0]).toEqual(answers[1])
  await session({ ...plain, adapter: at('zh') }, async (ift) => {
    expect(answers[0]).not.toEqual(await answersOf(ift))
    await expect(ift.merge('x', sum)).rejects.toMatchObject({ code: 'IFT_USAGE' })
  })
})

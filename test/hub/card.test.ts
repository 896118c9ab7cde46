import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { verifyFolder, type IftConfig } from '@ift/core'
import { plugin as alpaca } from '@ift/dataset-alpaca'
import { makeCard, plugin as hub, writeCard } from '@ift/hub'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { quickstart } from '../fixture/files.js'
import { quickstartConfig } from '../fixture/quickstart.js'
import { sessionsIn, trainsIn } from '../fixture/session.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-card-'))
const plugins = [cpu, llama, lora, alpaca, hub]
const raw = fileURLToPath(new URL('../../packages/datasets/alpaca/fixtures/raw', import.meta.url))
const config: IftConfig = {
  ...quickstartConfig,
  ...{ weights: './base', initialize: false, device: 'cpu', threads: 1, output: 'run' },
  data: [{ name: 'alpaca', path: raw }, './mine.jsonl'],
  validation: { size: 4 },
  train: { ...quickstartConfig.train, maxSteps: 12, logEvery: 1, evalEvery: 6 },
}
const session = { cwd: dir, config: { ...config, data: [] }, plugins }
const read = (name: string) => readFileSync(join(dir, name), 'utf8')
const cardOf = (options: Parameters<typeof makeCard>[1] = {}) =>
  makeCard(session, { adapter: 'run', ...options })
const textOf = async (options: Parameters<typeof makeCard>[1] = {}) =>
  (await cardOf(options)).files.get('README.md')!

/** Fields of the head, each a line of JSON. */
const headOf = (text: string) =>
  Object.fromEntries(
    /^---\n([\s\S]*?)\n---\n/
      .exec(text)![1]!
      .split('\n')
      .map((line) => {
        const [, key, value] = /^([\w-]+): (.*)$/.exec(line)!
        return [key!, JSON.parse(value!) as unknown]
      }),
  )

beforeAll(async () => {
  cpSync(quickstart('model'), join(dir, 'base'), { recursive: true })
  writeFileSync(join(dir, 'base/README.md'), '---\nlicense: apache-2.0\n---\n')
  cpSync(quickstart('data/bilingual.jsonl'), join(dir, 'mine.jsonl'))
  await trainsIn(sessionsIn(dir, plugins))(config)
})
afterAll(() => {
  rmSync(dir, { recursive: true })
})

test('the head names the licence that the data asks for, and what else the hub reads', async () => {
  expect(headOf(await textOf({ base: 'org/base', languages: ['zh'] }))).toEqual({
    library_name: 'peft',
    base_model: 'org/base',
    base_model_relation: 'adapter',
    license: 'cc-by-nc-4.0',
    language: ['zh', 'en'],
    datasets: ['yahma/alpaca-cleaned'],
    tags: ['ift', 'lora'],
    pipeline_tag: 'text-generation',
  })
})

test('the body tells data, licences, recipe, template, curves, and hashes of the run', async () => {
  const { files } = await cardOf({ repo: 'me/tuned', base: 'org/base' })
  const text = files.get('README.md')!
  const manifest = JSON.parse(read('run/manifest.json')) as {
    mixture: { name: string; rows: number; tokens: number }[]
    identity: { weights: string }
    device: string
  }
  const [set, mine] = manifest.mixture
  expect(text).toContain(
    `| [alpaca](https://huggingface.co/datasets/yahma/alpaca-cleaned) | ${set!.rows} | ${set!.tokens.toLocaleString('en')} |`,
  )
  expect(text).toContain('| CC-BY-NC-4.0 | not for commercial use; terms of OpenAI |')
  expect(text).toContain(`| mine.jsonl | ${mine!.rows} | ${mine!.tokens.toLocaleString('en')} |`)
  expect(text).toContain('| not stated |')
  expect(text).toContain('**Not for commercial use**: alpaca (CC-BY-NC-4.0) asks for it.')
  expect(text).toContain('No licence is stated for mine.jsonl.')
  expect(text).toContain('4 rows were held out')
  expect(text).toContain('| rank | 4')
  expect(text).toContain('| steps | 12 |')
  expect(text).toContain(`| hardware | ${manifest.device} |`)
  expect(text).toContain('Below is an instruction that describes a task.')
  expect(text).toContain('learned: ` Red, green and blue. </s>`')
  expect(text).toContain(manifest.identity.weights)
  expect(text).toContain('npx ift chat --adapter me/tuned\n')
  expect(text).toContain('PeftModel.from_pretrained(model, "me/tuned")')
  expect(text).toContain('--max-lora-rank 8 --lora-modules tuned=me/tuned')
  expect(text).toContain('It has not been evaluated')
  expect(text).toContain('![Loss of the run by optimiser step](loss.svg)')
  expect(text).not.toContain(dir)
  const image = files.get('loss.svg')!
  // One line for the steps, one smoothed, a point for each evaluation.
  expect(image.match(/<path /g)).toHaveLength(2)
  expect(image).toContain('validation')
})

test('a base without a name on the hub is named where it is needed', async () => {
  const text = await textOf()
  expect(headOf(text)).not.toHaveProperty('base_model')
  expect(text).toContain('npx ift chat --adapter ./adapter --weights ./base\n')
})

test('without the base the card says all but the example', async () => {
  const notes: string[] = []
  const { files } = await makeCard(
    { ...session, config: { ...session.config, weights: './gone' } },
    { adapter: 'run' },
    (note) => notes.push(note),
  )
  expect(files.get('README.md')).not.toContain('## Prompts')
  expect(files.get('README.md')).toContain('## Recipe')
  expect(notes).toEqual([expect.stringContaining('no example of the template')])
})

test('a licence that the data does not allow is refused', async () => {
  await expect(cardOf({ license: 'apache-2.0' })).rejects.toMatchObject({
    code: 'IFT_CARD_LICENSE',
    message: expect.stringContaining('alpaca (CC-BY-NC-4.0)') as string,
    hint: expect.stringContaining('--license CC-BY-NC-4.0') as string,
  })
  expect(headOf(await textOf({ license: 'cc-by-nc-sa-4.0' }))).toMatchObject({ license: 'cc-by-nc-sa-4.0' })
})

describe('results beside the run', () => {
  afterAll(() => {
    rmSync(join(dir, 'run/eval'), { recursive: true })
  })
  const results = (name: string, value: unknown) => {
    mkdirSync(join(dir, 'run/eval', name), { recursive: true })
    writeFileSync(join(dir, 'run/eval', name, 'results.json'), JSON.stringify(value))
  }

  test('stand in the head and in a table, with their intervals; what cannot be read is said', async () => {
    results('sums', {
      task: { name: 'sums', version: '1', shots: 0 },
      metrics: {
        exact: { mean: 0.25, low: 0.1, high: 0.5, n: 40 },
        // No item counts for it.
        chinese: { mean: null, low: null, high: null, n: 0 },
      },
      macro: { exact: { mean: 0.3, low: 0.2, high: 0.4, n: 40 } },
      contamination: { share: 0.125 },
    })
    results('other', { scores: [] })
    const notes: string[] = []
    const { files } = await makeCard(session, { adapter: 'run' }, (note) => notes.push(note))
    const text = files.get('README.md')!
    expect(text).toContain('| sums (version 1) | 0 | exact | 40 | 0.25 | 0.1 to 0.5 |')
    expect(text).toContain('| exact, mean of groups | 40 | 0.3 | 0.2 to 0.4 |')
    expect(text).not.toContain('chinese')
    expect(text).toContain('The training data hold 12.5 % of the items of sums.')
    expect(headOf(text)['model-index']).toMatchObject([
      {
        results: [
          {
            dataset: { type: 'sums' },
            metrics: [
              { type: 'exact', value: 0.25 },
              { type: 'exact_mean_of_groups', value: 0.3 },
            ],
          },
        ],
      },
    ])
    expect(text).not.toContain('It has not been evaluated')
    expect(notes).toEqual([expect.stringContaining('results.json')])
  })
})

test('what is not there is said, with what there is', async () => {
  await expect(cardOf({ adapter: 'base' })).rejects.toMatchObject({ code: 'IFT_ADAPTER_NOT_FOUND' })
  await expect(makeCard({ ...session, config: { data: [] } }, {})).rejects.toMatchObject({
    code: 'IFT_USAGE',
    message: expect.stringContaining('No adapter is named') as string,
  })
})

test('the card that is written is one of the files of the adapter, and a folder of the adapter alone is enough', async () => {
  const { found, files } = await cardOf()
  await writeCard(found.dir, files)
  await verifyFolder(found.dir, ['README.md', 'loss.svg'])
  cpSync(join(dir, 'run/adapter'), join(dir, 'moved'), { recursive: true })
  appendFileSync(join(dir, 'moved/README.md'), 'mine')
  const text = await textOf({ adapter: 'moved' })
  expect(text).toContain('Its run is not recorded beside it.')
  expect(text).toContain('## Fingerprints')
})

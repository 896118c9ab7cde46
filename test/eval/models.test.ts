// A model that is open and the same behind a server: likelihoods, answers and losses are one.
import { createServer as createHttp, type Server as HttpServer } from 'node:http'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Ift, IftError, type IftConfig, type OpenModel, type TextGenerator } from '@ift/core'
import { EndpointModel, evaluate, LocalModel, plugin as evaluation, type EvalModel } from '@ift/eval'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { createServer, type Server } from '@ift/serve'
import { quickstart } from '../fixture/files.js'

const plugins = [cpu, llama, lora, evaluation]
const config: IftConfig = {
  weights: quickstart('model'),
  ...{ template: 'alpaca', device: 'cpu', dtype: 'f32', threads: 2, maxLength: 160 },
}
const dir = mkdtempSync(join(tmpdir(), 'ift-eval-models-'))

let ift: Ift
let open: OpenModel
let generator: TextGenerator
let local: LocalModel
let server: Server
let http: HttpServer
let url: string
beforeAll(async () => {
  ift = await Ift.load({ cwd: dir, config, plugins })
  open = await ift.openModel()
  generator = await ift.createGenerator(open)
  local = await LocalModel.of(open, generator)
  server = createServer(ift, { name: 'tiny' })
  await server.ready
  http = createHttp((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const init = {
        method: request.method!,
        headers: { 'content-type': 'application/json' },
        ...(pieces.length > 0 && { body: Buffer.concat(pieces) }),
      }
      void server.fetch(new Request(`http://127.0.0.1:8410${request.url!}`, init)).then(async (reply) => {
        response.writeHead(reply.status, Object.fromEntries(reply.headers))
        response.end(await reply.text())
      })
    })
  })
  await new Promise<void>((listening) => http.listen(0, '127.0.0.1', listening))
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/v1`
})
afterAll(async () => {
  http.closeAllConnections()
  await new Promise((closed) => http.close(closed))
  await server.close()
  await ift.close()
  rmSync(dir, { recursive: true })
})

const sum = (scores: readonly (number | null)[], from: number) =>
  scores.slice(from).reduce<number>((total, one) => total + (one ?? 0), 0)
const encode = async (text: string) => [...(await open.tokenizer.encode(text)).ids]
const bos = () => (open.tokenizer.addBos && open.tokenizer.bosId !== null ? [open.tokenizer.bosId] : [])

test('a continuation is what both texts have beyond the first, with the blanks at its end', async () => {
  const { likelihoods, promptTokens } = await local.likelihoods('Tom has 3 apples. ', ['He', ' She'])
  for (const [i, text] of ['Tom has 3 apples. He', 'Tom has 3 apples.  She'].entries()) {
    const ids = [...bos(), ...(await encode(text))]
    const from = bos().length + (await encode('Tom has 3 apples.')).length
    expect(likelihoods[i]).toEqual({
      logprob: sum(await generator.score(ids), from),
      tokens: ids.length - from,
    })
    if (i === 0) expect(promptTokens).toBe(from)
  }
  // Behind nothing stands the token that texts begin with, or end with.
  const first = open.tokenizer.bosId ?? open.tokenizer.eosId!
  const ids = [first, ...(await encode('Tom'))]
  expect((await local.likelihoods('', ['Tom'])).likelihoods[0]!.logprob).toBe(
    sum(await generator.score(ids), 1),
  )
})

test('behind an instruction a continuation is the beginning of the answer', async () => {
  const asked = { instruction: 'Tom has 3 apples and buys 4 more. How many has he?', input: '' }
  const { likelihoods, promptTokens } = await local.likelihoods(asked, ['Tom has 7', ' No'])
  const context = await generator.encode(asked)
  expect(promptTokens).toBe(context.length)
  for (const [i, text] of [' Tom has 7', ' No'].entries()) {
    const answer = await encode(text)
    const scores = await generator.score([...context, ...answer])
    expect(likelihoods[i]).toEqual({ logprob: sum(scores, context.length), tokens: answer.length })
  }
})

test('a text that is too long loses its beginning, an instruction is refused', async () => {
  const long = 'Tom has 3 apples. '.repeat(200)
  const most = open.shape.maxPositions!
  const { likelihoods, cut, promptTokens } = await local.likelihoods(long, ['He has 3.'])
  expect(cut).toBeGreaterThan(0)
  expect(promptTokens + likelihoods[0]!.tokens).toBe(most)
  const answer = await local.answer(long, { until: [], maxNewTokens: 7 })
  expect(answer).toMatchObject({ promptTokens: most - 7 })
  expect(answer.cut).toBeGreaterThan(0)
  await expect(
    local.answer({ instruction: long, input: '' }, { until: [], maxNewTokens: 7 }),
  ).rejects.toMatchObject({
    code: 'IFT_SEQUENCE_TOO_LONG',
  })
  await expect(local.likelihoods({ instruction: long, input: '' }, ['a'])).rejects.toMatchObject({
    code: 'IFT_SEQUENCE_TOO_LONG',
  })
})

test('what a server says is what the model says, to the last digit', async () => {
  const remote = await EndpointModel.open({ url })
  expect(remote.facts).toMatchObject({ name: 'tiny', endpoint: url })
  const both = async <T>(ask: (model: EvalModel) => Promise<T>) => {
    const [here, there] = [await ask(local), await ask(remote)]
    expect(there).toEqual(here)
  }
  for (const text of ['Tom has 3 apples.', 'Tom has 3 apples. ', '小明有3个苹果。'])
    await both(async (model) => (await model.likelihoods(text, [' He', ' 4', '他'])).likelihoods)
  const asked = { instruction: 'Tom has 3 apples and buys 4 more. How many has he?', input: '' }
  for (const prompt of ['Tom has 3 apples.', asked])
    for (const until of [[], ['.'], ['Q:', 'X:', 'Y:', 'Z:', ' has']])
      await both(async (model) => {
        const { text, ended } = await model.answer(prompt, { until, maxNewTokens: 12 })
        return { text: typeof prompt === 'string' ? text : text.trimStart(), ended }
      })
  await expect(remote.likelihoods(asked, ['Tom has 7'])).rejects.toMatchObject({
    code: 'IFT_EVAL_UNSUPPORTED',
  })
  await expect(remote.loss()).rejects.toMatchObject({ code: 'IFT_EVAL_UNSUPPORTED' })
})

test('a server that is none, or has another model, is named', async () => {
  for (const [options, message] of [
    [{ url: 'ftp://x' }, /expected http/],
    [{ url: url.replace('/v1', '/v2') }, /\/v2\/models could not be read: HTTP 404/],
    [{ url: 'http://127.0.0.1:9/v1' }, /models could not be read/],
    [{ url, model: 'other' }, /has no model "other", it lists tiny/],
  ] as const) {
    const error: unknown = await EndpointModel.open(options).catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(IftError)
    expect((error as IftError).message).toMatch(message)
    expect((error as IftError).hint).toBeTruthy()
  }
})

test('the loss of a task is that of the evaluation of a run, also by tag', async () => {
  const rows = Array.from({ length: 12 }, (_, i) => ({
    instruction: `Tom has ${i} apples and buys ${i + 2} more. How many has he?`,
    ...{ input: '', output: `He has ${2 * i + 2}.`, class: i % 3 ? 'even' : 'third' },
  }))
  const path = join(dir, 'rows.jsonl')
  writeFileSync(path, rows.map((row) => JSON.stringify(row)).join('\n'))
  const [done] = await evaluate(local, [{ task: await ift.task('loss'), data: path }])
  const { metrics, groups } = done!.results
  const training = await Ift.using(
    {
      cwd: dir,
      plugins,
      config: {
        ...config,
        data: [path],
        validation: { data: [path] },
        output: 'run',
        train: { maxSteps: 1 },
      },
    },
    async (session) => (await session.createTraining()).trainer.evaluate(),
  )
  expect(metrics['loss']!.mean).toBeCloseTo(training.loss, 5)
  expect(metrics['perplexity']!.mean).toBeCloseTo(Math.exp(training.loss), 3)
  expect(metrics['loss']!.low).toBeLessThan(training.loss)
  expect(Object.keys(groups)).toEqual(['even', 'third'])
  expect(groups['even']!['loss']!.n + groups['third']!['loss']!.n).toBe(12)
})

test('files of a model are told apart by their contents', async () => {
  expect(local.facts).toMatchObject({ adapter: null, template: 'alpaca', dtype: 'f32', quantize: 'none' })
  expect(local.facts.weights).toMatch(/^[0-9a-f]{64}$/)
  expect((await LocalModel.of(open, generator)).facts).toEqual(local.facts)
})

test('questions that the data of a config hold are found, each of them', async () => {
  const texts = [
    'one two three four five six seven eight nine ten eleven twelve thirteen fourteen',
    'short',
    'fresh words alone',
  ]
  writeFileSync(
    join(dir, 'train.jsonl'),
    [
      { instruction: `Say: ${texts[0]!} and more`, input: '', output: 'ok' },
      { instruction: 'Short', input: '', output: 'yes' },
    ]
      .map((row) => JSON.stringify(row))
      .join('\n'),
  )
  const report = await Ift.using(
    { cwd: dir, plugins, config: { ...config, data: ['train.jsonl'] } },
    (session) => session.sharedWithData([...texts, texts[0]!]),
  )
  expect(report).toMatchObject({ rows: 2, words: 13, characters: 20 })
  expect(report.found.map(({ index, kind }) => [index, kind])).toEqual([
    [0, 'overlap'],
    [1, 'equal'],
    [3, 'overlap'],
  ])
  expect(report.found[1]!.where).toMatch(/train\.jsonl:2$/)
})

import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { IftError, type TaskDefinition } from '@ift/core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Comparison } from './compare.js'
import { dryRun } from './dry-run.js'
import { evaluate, prepareTask, type TaskRequest } from './evaluate.js'
import type { Judge, JudgeMessage } from './judging.js'
import type { EvalResults } from './results.js'
import { readSamples } from './samples-file.js'
import { scriptedModel } from './scripted-model.fixture.js'
import { gsm8k } from './tasks/gsm8k.js'
import { mmlu } from './tasks/mmlu.js'

const fixture = (path: string) => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url))

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ift-eval-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

const code = async (run: Promise<unknown>) => {
  const error: unknown = await run.then(
    () => null,
    (cause: unknown) => cause,
  )
  if (!(error instanceof IftError)) throw new Error(`expected an IftError, found ${String(error)}`)
  expect(error.hint, error.message).toBeTruthy()
  return `${error.code} ${error.message}`
}

/** Solves the problems of the fixture whose numbers are even. */
const solver = (prompt: string): string => {
  const [has, buys, gives] = prompt.slice(prompt.lastIndexOf('Question:')).match(/\d+/g)!.map(Number) as [
    number,
    number,
    number,
  ]
  const left = has + buys - gives
  return left % 2 === 0 ? ` It is ${left}.\n#### ${left}` : ` It is ${left + 1}, the answer is ${left}.`
}

const request = (more: Partial<TaskRequest> = {}): TaskRequest => ({
  task: gsm8k,
  data: fixture('gsm8k.invented'),
  ...more,
})

test('a task is asked, scored, and written; a second call asks nothing', async () => {
  const first = scriptedModel({ answer: solver })
  const [done] = await evaluate(first.model, [request()], { output: folder })
  expect(first.asked).toHaveLength(8)
  // Five examples, then the question, as lm-evaluation-harness writes them.
  expect(first.asked[0]!.match(/^Question: /gm)).toHaveLength(6)
  expect(first.asked[0]).toMatch(/#### \d+\n\nQuestion: Mia has 3 pears .* now\?\nAnswer:$/s)
  const { metrics, answers, data } = done!.results
  expect(metrics['strict']!.mean).toBeGreaterThan(0)
  expect(metrics['strict']!.mean).toBeLessThan(1)
  expect(metrics['flexible']!.mean).toBe(1)
  expect(metrics['strict']).toMatchObject({ n: 8, unscored: 0, method: 'wilson', lowerIsBetter: false })
  expect(answers).toMatchObject({ count: 8, ended: 8, share: 1 })
  expect(data).toMatchObject({ items: 8, asked: 8, limit: null, dropped: {} })
  const written = JSON.parse(readFileSync(join(folder, 'gsm8k/results.json'), 'utf8')) as EvalResults
  expect(written.metrics).toEqual(metrics)

  const second = scriptedModel({ answer: solver })
  const [again] = await evaluate(second.model, [request()], { output: folder })
  expect(second.asked).toEqual([])
  expect(again!.results.resumed).toBe(8)
  expect(again!.results.metrics).toEqual(metrics)
  expect(again!.samples).toEqual(done!.samples)
})

test('what was cut off by the end of a process is asked again, and nothing else', async () => {
  const { model } = scriptedModel({ answer: solver })
  const [done] = await evaluate(model, [request()], { output: folder })
  const path = join(folder, 'gsm8k/samples.jsonl')
  const lines = readFileSync(path, 'utf8').split('\n')
  writeFileSync(path, `${lines.slice(0, 3).join('\n')}\n${lines[3]!.slice(0, 40)}`)
  const resumed = scriptedModel({ answer: solver })
  const [again] = await evaluate(resumed.model, [request()], { output: folder })
  expect(resumed.asked).toHaveLength(5)
  expect(again!.samples).toEqual(done!.samples)
  expect(readFileSync(path, 'utf8').split('\n')).toEqual(lines)
})

test('another version, template, model, number of shots or text asks again', async () => {
  const asked = async (of: TaskRequest, facts = {}) => {
    const scripted = scriptedModel({ answer: solver, facts })
    await evaluate(scripted.model, [of], { output: folder })
    return scripted.asked.length
  }
  expect(await asked(request())).toBe(8)
  expect(await asked(request())).toBe(0)
  expect(await asked(request({ task: { ...gsm8k, version: '4' } }))).toBe(8)
  expect(await asked(request())).toBe(8)
  expect(await asked(request(), { templateHash: 'other' })).toBe(8)
  expect(await asked(request(), { adapter: { name: 'a', sha256: 'x' } })).toBe(8)
  expect(await asked(request(), { adapter: { name: 'moved', sha256: 'x' } })).toBe(0)
  expect(await asked(request({ shots: 2 }))).toBe(8)
  expect(await asked(request({ shots: 2, maxNewTokens: 9 }))).toBe(8)
  expect(await asked(request({ shots: 2, prompt: 'instruction' }))).toBe(8)
  expect(await asked(request({ shots: 2, prompt: 'instruction', limit: 3 }))).toBe(0)
})

test('a limit spreads over the test', async () => {
  const { items } = await prepareTask(request({ limit: 3 }))
  expect(items.map(({ id }) => id)).toEqual(['test.jsonl:1', 'test.jsonl:3', 'test.jsonl:6'])
})

test('choices are scored by likelihood, with means by subject', async () => {
  const { model, asked } = scriptedModel({
    logprob: (_prompt, continuation) => (continuation === ' B' ? -0.5 : -1),
  })
  const [done] = await evaluate(model, [{ task: mmlu, data: fixture('mmlu.invented') }])
  expect(asked).toHaveLength(3)
  expect(asked[0]).toMatch(
    /^The following are multiple choice questions \(with answers\) about plain sums\.\n\n2 \+ 2 =\nA\. 4\n/,
  )
  expect(asked[0]!.endsWith('7 + 8 =\nA. 14\nB. 15\nC. 16\nD. 17\nAnswer:')).toBe(true)
  const { metrics, groups, macro } = done!.results
  expect(metrics['acc']!.mean).toBeCloseTo(2 / 3)
  expect(groups['plain_sums']!['acc']!.mean).toBe(1)
  expect(groups['simple_words']!['acc']!.mean).toBe(0.5)
  expect(macro['acc']).toMatchObject({ mean: 0.75, groups: 2 })
  expect(done!.dir).toBeNull()
})

test('requests that cannot be right are refused before anything is asked', async () => {
  const { model, asked } = scriptedModel()
  const refused = (more: Partial<TaskRequest>) => code(evaluate(model, [request(more)]))
  expect(await refused({ data: join(folder, 'none') })).toMatch(/^IFT_SOURCE_NOT_FOUND /)
  expect(await refused({ data: folder })).toMatch(/^IFT_SOURCE_NOT_FOUND .*expected the test of gsm8k/)
  expect(await refused({ data: fixture('gsm8k.invented/test.jsonl') })).toMatch(
    /^IFT_EVAL_OPTION .* taken of the test itself/,
  )
  expect(await refused({ shots: 7 })).toMatch(/^IFT_EVAL_DATA .* 7 examples .* there are 6/)
  expect(await refused({ options: { a: 1 } })).toMatch(/^IFT_EVAL_OPTION gsm8k has no options/)
  writeFileSync(join(folder, 'bad.jsonl'), '{"question": "q"}\n{"answer": "#### 1"}\n')
  expect(await refused({ data: join(folder, 'bad.jsonl'), shots: 0 })).toMatch(
    /found no question in 2 records: 1 with no answer behind "####", 1 with no question/,
  )
  writeFileSync(join(folder, 'cut.jsonl'), '{"question": "q", \n')
  expect(await refused({ data: join(folder, 'cut.jsonl'), shots: 0 })).toMatch(
    /^IFT_DATA_SYNTAX .*cut\.jsonl:1/,
  )
  expect(asked).toEqual([])
})

test('a prompt that cannot be asked is counted, and asked again by the next call', async () => {
  const long = (prompt: string) => {
    if (prompt.includes('Lin has')) throw new IftError('IFT_SEQUENCE_TOO_LONG', 'too long')
    return solver(prompt)
  }
  const short = request({ shots: 0 })
  const [done] = await evaluate(scriptedModel({ answer: long }).model, [short], { output: folder })
  expect(done!.results.refused).toBe(1)
  expect(done!.results.metrics['strict']).toMatchObject({ n: 7, unscored: 1 })
  const again = scriptedModel({ answer: solver })
  await evaluate(again.model, [short], { output: folder })
  expect(again.asked).toHaveLength(1)
  // Any other error ends the evaluation, and what is there is kept.
  rmSync(folder, { recursive: true })
  const broken = (prompt: string) => {
    if (prompt.includes('Leo has')) throw new IftError('IFT_EVAL_ENDPOINT', 'gone', 'hint')
    return solver(prompt)
  }
  const failing = evaluate(
    scriptedModel({ answer: broken }).model,
    [{ ...short, data: fixture('gsm8k.invented') }],
    {
      output: folder,
    },
  )
  expect(await code(failing)).toMatch(/^IFT_EVAL_ENDPOINT/)
  expect(existsSync(join(folder, 'gsm8k/results.json'))).toBe(false)
  let kept = 0
  for await (const _ of readSamples(join(folder, 'gsm8k/samples.jsonl'))) kept++
  expect(kept).toBe(7)
})

/** A judge that gives each answer its number of "good", and says nothing at first where the answer is "mute". */
function judge(): Judge & { readonly calls: (readonly JudgeMessage[])[] } {
  const calls: (readonly JudgeMessage[])[] = []
  return {
    ...{ model: 'judge', url: 'http://judge', calls },
    ask(messages) {
      calls.push(messages)
      const asked = messages[0]!.content
      const text = /mute/.test(asked)
        ? messages.length > 1 && !/mute for ever/.test(asked)
          ? '得分:0.25'
          : 'Hm.'
        : /good/.test(asked)
          ? '得分:1'
          : '得分:0'
      return Promise.resolve({
        text,
        cached: false,
        promptTokens: 10,
        replyTokens: 2,
        date: '2026-11-30T00:00:00Z',
      })
    },
  }
}

/** Answers that a judge scores. */
const judged: TaskDefinition<string> = {
  ...{
    name: 'judged',
    version: '1',
    description: 'Judged.',
    source: '',
    licence: '',
    main: 'score',
    shots: 0,
  },
  metrics: { score: { description: 'of the judge', kind: 'mean' } },
  prompt: 'instruction',
  read: ({ record }) => (typeof record['q'] === 'string' ? [record['q']] : 'no q'),
  render: (question) => question,
  generate: { until: [], maxNewTokens: 8 },
  judge: {
    prompts: (question, { answer }) => [`${question} / ${answer}`],
    parse: (reply) => (reply.startsWith('得分:') ? Number(reply.slice(3)) : null),
    again: 'only the score',
  },
  score: (_question, { judged: [score = null] }) => ({ score }),
}

test('a judge is asked once more where it gives no score, and what has none is counted', async () => {
  const data = join(folder, 'q.jsonl')
  writeFileSync(data, ['one', 'two', 'three', 'four'].map((q) => JSON.stringify({ q })).join('\n'))
  const answers: Record<string, string> = { one: 'good', two: 'bad', three: 'mute', four: 'mute for ever' }
  const output = join(folder, 'out')
  const run = async (by: Judge) =>
    (
      await evaluate(scriptedModel({ answer: (q) => answers[q]! }).model, [{ task: judged, data }], {
        output,
        judge: by,
      })
    )[0]!
  const first = judge()
  const { results, samples } = await run(first)
  expect(results.metrics['score']).toMatchObject({ n: 3, unscored: 1, mean: (1 + 0 + 0.25) / 3 })
  expect(samples.map((sample) => sample.judged![0]!.score)).toEqual([1, 0, 0.25, null])
  expect(results.judge).toMatchObject({ model: 'judge', unscored: 0.25, date: '2026-11-30T00:00:00Z' })
  // Four items, two of them once more, and one of the four judged again with up to two questions.
  expect(results.judge!.repeats).toBeGreaterThanOrEqual(2)
  const repeated = first.calls.find((messages) => messages.length === 3)!
  expect(repeated.map(({ content }) => content)).toEqual(['three / mute', 'Hm.', 'only the score'])
  expect(results.judge!.checks['judged again with the same score'] ?? 1).toBe(1)
  expect(await code(evaluate(scriptedModel().model, [{ task: judged, data }]))).toMatch(/^IFT_EVAL_JUDGE/)
  // An answer is bounded before a judge sees it.
  answers['two'] = 'x'.repeat(100_000)
  rmSync(output, { recursive: true })
  const second = judge()
  await run(second)
  expect(Math.max(...second.calls.map(([message]) => message!.content.length))).toBeLessThan(33_000)
})

test('a dry run counts and asks nothing', async () => {
  const [plan] = await dryRun([request()])
  expect(plan).toMatchObject({ items: 8, likelihoods: 0, answers: 8, answerTokens: 8 * 256, judgeCalls: 0 })
  const data = join(folder, 'q.jsonl')
  writeFileSync(data, '{"q": "one"}\n{"q": "two"}\n')
  const [calls] = await dryRun([{ task: judged, data }])
  expect(calls).toMatchObject({ judgeCalls: 2, judgeCallsAtMost: 4 })
})

test('items that the training data hold are listed', async () => {
  const { model } = scriptedModel({ answer: solver })
  const [done] = await evaluate(model, [request()], {
    trainedOn: (questions) =>
      Promise.resolve({
        ...{ words: 13, characters: 20, rows: 7 },
        found: [{ index: 2, kind: 'equal', where: 'train.jsonl:4', text: questions[2]! }],
      }),
  })
  expect(done!.results.contamination).toMatchObject({
    rows: 7,
    share: 1 / 8,
    items: [{ id: 'test.jsonl:3', kind: 'equal', where: 'train.jsonl:4' }],
  })
})

test('two runs are compared on the same items, with a test of the difference', async () => {
  const short = request({ shots: 0 })
  await evaluate(scriptedModel({ answer: solver }).model, [short], { output: folder })
  const against = join(folder, 'gsm8k')
  const [done] = await evaluate(scriptedModel({ answer: (prompt) => `${solver(prompt)}\n#### 0` }).model, [
    { ...short, against },
  ])
  const { differences, items } = done!.results.against as Comparison
  expect(items).toBe(8)
  // Where it solves one strictly, "####" is there before; where it does not, the last number is another.
  expect(differences['strict']).toMatchObject({ mean: 0, p: 1, needed: null })
  expect(differences['flexible']).toMatchObject({ mean: -1, n: 8 })
  expect(differences['flexible']!.p).toBeCloseTo(2 / 2 ** 8, 12)
  expect(differences['flexible']!.adjusted).toBeGreaterThanOrEqual(differences['flexible']!.p)
  const other = join(folder, 'other.jsonl')
  writeFileSync(other, '{"id": "test.jsonl:1", "key": "k", "question": "another", "scores": {}}\n')
  const refused = evaluate(scriptedModel({ answer: solver }).model, [{ ...short, against: other }])
  expect(await code(refused)).toMatch(/^IFT_EVAL_DATA .*the questions of this run/)
  // With itself nothing would ever differ.
  for (const own of [against, join(against, 'samples.jsonl')]) {
    const same = evaluate(scriptedModel({ answer: solver }).model, [{ ...short, against: own }], {
      output: folder,
    })
    expect(await code(same)).toMatch(/^IFT_EVAL_DATA .*the folder of this one/)
  }
})

test('a task that gives what it does not measure is named', async () => {
  const of = (scores: Readonly<Record<string, number>>): TaskRequest =>
    request({ task: { ...gsm8k, score: () => scores }, shots: 0 })
  const { model } = scriptedModel()
  expect(await code(evaluate(model, [of({ other: 1 })]))).toMatch(/^IFT_PLUGIN_FAILED .*"other"/)
  expect(await code(evaluate(model, [of({ strict: 0.5 })]))).toMatch(/strict expected 0 or 1, found 0\.5/)
  const thrown = request({
    shots: 0,
    task: {
      ...gsm8k,
      score: () => {
        throw new Error('oops')
      },
    },
  })
  expect(await code(evaluate(model, [thrown]))).toMatch(
    /^IFT_PLUGIN_FAILED Task "gsm8k" failed in score: oops/,
  )
})

test('lines of samples that are none are passed over', async () => {
  const path = join(folder, 'samples.jsonl')
  appendFileSync(
    path,
    '{"id": "a", "key": "k", "scores": {}}\nnull\n[]\n{"id": 3}\nnot JSON\n{"id": "b", "key"',
  )
  const found = []
  for await (const { id } of readSamples(path)) found.push(id)
  expect(found).toEqual(['a'])
})

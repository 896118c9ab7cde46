import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { dryRun } from '../dry-run.js'
import { evaluate } from '../evaluate.js'
import { JudgeClient, ReplyCache } from '../judge/index.js'
import { scriptedJudge, type Act } from '../judge/scripted.fixture.js'
import { scriptedModel } from '../scripted-model.fixture.js'
import { belleEval } from './belle-eval.js'
import { pairs } from './pairs.js'

const fixture = (path: string) => fileURLToPath(new URL(`../../fixtures/${path}`, import.meta.url))

const ended: (() => Promise<unknown>)[] = []
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ift-judged-'))
  ended.push(() => rm(folder, { recursive: true }))
})
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

const text = (response: Parameters<Exclude<Act, string>>[0], content: string) => {
  const reply = { choices: [{ message: { content } }], usage: { prompt_tokens: 100, completion_tokens: 20 } }
  response.end(JSON.stringify(reply))
}

/** A judge over HTTP that replies to a prompt, with its cache in the folder. */
async function judgeOf(replyTo: (prompt: string, again: boolean) => string) {
  const server = await scriptedJudge([
    (response, { body }) => text(response, replyTo(body.messages[0]!.content, body.messages.length > 1)),
  ])
  ended.push(() => server.close())
  const open = async () => {
    const cache = await ReplyCache.open(join(folder, 'judge.jsonl'))
    ended.push(() => cache.close())
    return new JudgeClient({ url: server.url, model: 'judge', cache, retryDelayMs: 1 })
  }
  return { server, open }
}

test('belle-eval: a judge scores answers by class, asks again once, and what has no score is counted', async () => {
  const { server, open } = await judgeOf((prompt, again) => {
    if (prompt.includes('铅笔')) return '过程正确。得分：１.０'
    if (prompt.includes('沸腾')) return again ? '得分:80%' : '答得不错，85 分'
    if (prompt.includes('豆豆')) return '我不便评价。'
    if (prompt.includes('毕业')) return '先看 得分:0.1，最后 得分:3/4'
    return '得分:0'
  })
  const { model } = scriptedModel({ answer: (question) => `  回答：${question.length}\n` })
  const requests = [{ task: belleEval, data: fixture('belle-eval') }]
  const [done] = await evaluate(model, requests, { judge: await open(), output: join(folder, 'out') })
  const { metrics, groups, macro, judge } = done!.results
  // Classes: code 0, math 1, open qa 0.8, closed qa without a score, generation 0.75, rewrite 0.
  expect(metrics['score']).toMatchObject({ n: 5, unscored: 1 })
  expect(metrics['score']!.mean).toBeCloseTo((0 + 1 + 0.8 + 0.75 + 0) / 5)
  expect(macro['score']).toMatchObject({ groups: 5 })
  expect(groups['closed qa']!['score']).toMatchObject({ mean: null, unscored: 1 })
  expect(Object.keys(groups)).toContain('open qa')
  expect(judge).toMatchObject({ model: 'judge', unscored: 1 / 6 })
  expect(judge!.repeats).toBeGreaterThanOrEqual(2)
  const shown = server.calls.map(({ body }) => body.messages[0]!.content)
  expect(shown.find((prompt) => prompt.includes('铅笔'))).toMatch(
    /^你是一个数学老师.*\n问题：小红.*\n标准答案：12-5=7.*\n模型回答：回答：\d+$/s,
  )
  // A class of which many answers are as good is judged without one.
  expect(shown.find((prompt) => prompt.includes('毕业'))).not.toContain('前程似锦')

  // Another run is free: samples are there; without them the replies still are.
  const asked = server.calls.length
  await rm(join(folder, 'out'), { recursive: true })
  const [again] = await evaluate(model, requests, { judge: await open(), output: join(folder, 'out') })
  expect(server.calls).toHaveLength(asked)
  expect(again!.results.metrics).toEqual(metrics)
  expect(again!.results.judge!.cached).toBe(again!.results.judge!.replies)
})

test('belle-eval: records that cannot be judged are counted by reason', async () => {
  const data = join(folder, 'set.jsonl')
  const rows = [
    { question: 'q', class: 'math', std_answer: '1' },
    { question: 'q', class: 'poetry', std_answer: '1' },
    { question: 'q', std_answer: '1' },
    { class: 'math' },
  ]
  await writeFile(data, rows.map((row) => JSON.stringify(row)).join('\n'))
  const { open } = await judgeOf(() => '得分:1')
  const { model } = scriptedModel({ answer: () => 'a' })
  const [done] = await evaluate(model, [{ task: belleEval, data }], { judge: await open() })
  expect(done!.results.data.dropped).toEqual({
    'a class that Belle-eval has no prompt for': 1,
    'no class': 1,
    'no question': 1,
  })
})

test('pairs: a win is one in both orders', async () => {
  const { server, open } = await judgeOf((prompt) => {
    const isChinese = prompt.startsWith('请')
    const [, a = ''] = /(?:回答A：|Answer A:)\n(.*)/.exec(prompt)!
    // The longer answer of the moon and the rainbow, the first of the joke.
    if (prompt.includes('joke')) return 'Verdict: A'
    if (prompt.includes('适合')) return '我说不好。'
    return a.startsWith('good') === isChinese ? '结论：A' : 'verdict: **B**'
  })
  const data = fixture('pairs')
  const run = async (answer: string, against?: string, output = answer) =>
    (
      await evaluate(
        scriptedModel({ answer: () => answer, facts: { weights: answer } }).model,
        [{ task: pairs, data, against }],
        { judge: await open(), output: join(folder, output) },
      )
    )[0]!
  const other = await run('bad')
  expect(server.calls).toEqual([])
  expect(other.results.metrics['score']).toMatchObject({ mean: null, unscored: 4 })
  const { results, samples } = await run('good', other.dir!)
  // In Chinese the good one wins in both orders, in English the bad one; the first of the joke is a tie; one has no verdict.
  expect(results.metrics['score']).toMatchObject({ mean: 0.5, n: 3, unscored: 1 })
  expect(results.metrics['win']!.mean).toBeCloseTo(1 / 3)
  expect(results.metrics['loss']!.mean).toBeCloseTo(1 / 3)
  expect(results.metrics['consistent']!.mean).toBeCloseTo(2 / 3)
  expect(results.groups['zh']!['score']).toMatchObject({ mean: 1, n: 1 })
  expect(samples[0]!.judged!.map(({ score }) => score)).toEqual([1, 0])
  const first = server.calls.map(({ body }) => body.messages[0]!.content)
  expect(first.some((prompt) => prompt.includes('参考答案：\n月亮是地球'))).toBe(true)
  // The same answers need no judge.
  const asked = server.calls.length
  const same = await run('same', (await run('same')).dir!, 'again')
  expect(server.calls).toHaveLength(asked)
  expect(same.results.metrics).toMatchObject({ score: { mean: 0.5, n: 4 }, consistent: { mean: 1 } })
  const [plan] = await dryRun([{ task: pairs, data, against: other.dir! }])
  expect(plan).toMatchObject({ judgeCalls: 8 })
})

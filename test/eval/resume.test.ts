// A command line that is killed in the middle, and run again: neither model nor judge is asked anything twice.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { EvalResults, EvalSample } from '@ift/eval'
import { caseFolder } from '../cases/ift.fixture.js'

const folder = caseFolder('eval-resume')
const items = 12
let server: Server
let url: string
/** Bodies of what was answered, of the model and of the judge. */
const answered: string[] = []
const judged: string[] = []
/** Requests that are answered before the others wait for ever. */
let most = Infinity

beforeAll(async () => {
  mkdirSync(folder.path('belle'))
  writeFileSync(
    folder.path('belle/eval_set.jsonl'),
    Array.from({ length: items }, (_, i) =>
      JSON.stringify({
        question: `第${i}题：${i}加1等于几？`,
        std_answer: String(i + 1),
        class: i % 2 ? 'math' : 'open qa',
      }),
    ).join('\n'),
  )
  server = createServer((request, response) => {
    const send = (value: unknown) => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(value))
    }
    if (request.method === 'GET') {
      send({ data: [{ id: 'model' }, { id: 'judge' }] })
      return
    }
    let text = ''
    request.on('data', (piece: Buffer) => (text += piece.toString()))
    request.on('end', () => {
      if (answered.length + judged.length >= most) return
      const { model, messages } = JSON.parse(text) as { model: string; messages: { content: string }[] }
      ;(model === 'judge' ? judged : answered).push(text)
      const number = Number(/第(\d+)题/.exec(messages[0]!.content)![1])
      const content =
        model === 'judge' ? `说明。得分:${number % 3 === 0 ? '1' : '０．５'}` : `是${number + 1}。`
      const choice = { index: 0, finish_reason: 'stop', message: { role: 'assistant', content } }
      send({ choices: [choice], usage: { prompt_tokens: 5, completion_tokens: 3 } })
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
})
afterAll(async () => {
  server.closeAllConnections()
  await new Promise((closed) => server.close(closed))
  folder.remove()
})

const words = () => [
  ...['eval', 'belle-eval', '--data', 'belle/eval_set.jsonl', '--endpoint', url, '--model', 'model'],
  ...['--judge-url', url, '--judge-model', 'judge', '--concurrency', '2'],
]
const results = () => JSON.parse(folder.read('eval/belle-eval/results.json')) as EvalResults

test('what was answered and judged before a kill is not asked for again', async () => {
  most = 11
  const killed = folder.start(words())
  // Until every reply has arrived: those on their way when a process is killed are nobody's.
  const kept = () =>
    existsSync(folder.path('eval/judge.jsonl')) ? folder.lines('eval/judge.jsonl').length : 0
  await killed.until(() => answered.length + judged.length >= most && kept() === judged.length)
  killed.child.kill('SIGKILL')
  expect((await killed.ended).signal).toBe('SIGKILL')
  expect(() => results()).toThrow('ENOENT')
  const before = { answered: answered.length, judged: judged.length }
  expect(before.judged).toBeGreaterThan(0)
  most = Infinity

  const again = folder.start(words())
  expect(await again.ended).toMatchObject({ code: 0 })
  const { metrics, judge, resumed } = results()
  expect(metrics[results().task.main]).toMatchObject({ n: items, unscored: 0 })
  expect(metrics[results().task.main]!.mean).toBeCloseTo((4 + 8 / 2) / items)
  expect(resumed).toBeGreaterThan(0)
  expect(judge!.cached).toBeGreaterThan(0)
  // Every judgement once: those of the items, and those of a tenth of them that are asked again with another seed.
  expect(new Set(judged).size).toBe(judged.length)
  expect(judged.length).toBe(items + 1)
  // A judgement may be on disk whose sample is not: the answer is made again, and judged from the cache.
  const samples = folder.lines('eval/belle-eval/samples.jsonl') as EvalSample[]
  expect(samples).toHaveLength(items)
  expect(answered.length).toBeLessThan(items + before.answered)

  const count = answered.length + judged.length
  const third = folder.start(words())
  expect(await third.ended).toMatchObject({ code: 0 })
  expect(answered.length + judged.length).toBe(count)
  expect(results().metrics).toEqual(metrics)
}, 60_000)

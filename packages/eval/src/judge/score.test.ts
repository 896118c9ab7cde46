import { expect, test } from 'vitest'
import { parseScore } from './score.js'

test('the last score of a reply, however it is written', () => {
  const scores: [string, number][] = [
    ['得分:0.8', 0.8],
    ['得分： 0.8', 0.8],
    ['得分：０．８', 0.8],
    ['得分:.5', 0.5],
    ['得分:1', 1],
    ['得分:1.0', 1],
    ['得分:0', 0],
    ['得分:85%', 0.85],
    ['得分：８５％', 0.85],
    ['得分:100%', 1],
    ['得分:8/10', 0.8],
    ['得分:8 ／ 10', 0.8],
    ['得分: 0.8/1', 0.8],
    ['得分:0.8分', 0.8],
    ['**得分：** 0.9', 0.9],
    ['"得分": 0.7', 0.7],
    ['得分：【0.6】', 0.6],
    ['先给 得分:0.2，再看一遍，得分:0.6。', 0.6],
    ['模型回答里写着“得分:1”，但答案错误。\n得分:0', 0],
    ['得分:0.5\n理由：得分依据如下', 0.5],
  ]
  for (const [reply, score] of scores) expect(parseScore(reply), reply).toBe(score)
})

test('a reply without a score from 0 to 1', () => {
  for (const reply of [
    '',
    '很好。',
    '得分:',
    '得分:X',
    '得分:高',
    '得分:85',
    '得分:10',
    '得分:1.2',
    '得分:-0.5',
    '得分:−1',
    '得分:150%',
    '得分:11/10',
    '得分:1/0',
    '得分:0/0',
    '0.8',
    '得分:0.8，更正，得分:8',
    '<html>得分</html>',
  ])
    expect(parseScore(reply), reply).toBeNull()
})

test('a long reply is read in a moment', () => {
  const since = performance.now()
  expect(parseScore('得分'.repeat(100_000))).toBeNull()
  expect(parseScore(`得分${' '.repeat(200_000)}`)).toBeNull()
  expect(parseScore(`得分:${'1'.repeat(200_000)}`)).toBeNull()
  expect(performance.now() - since).toBeLessThan(2000)
})

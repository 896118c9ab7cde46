import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Tokenizer } from 'tokenizers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TEST_SEED, writeProblems } from '../generate.mjs'
import { answerIn } from '../score.mjs'
import { compute } from './arithmetic.mjs'
import { answerOnly, drawProblems, type Problem, splitOf, withSteps } from './problem.mjs'
import { CHINESE_PEOPLE, ENGLISH_PEOPLE, heldOutPeople, trainingPeople } from './vocabulary.mjs'

const train = drawProblems({ seed: 0, count: 6000, split: 'train' })
const test = drawProblems({ seed: TEST_SEED, count: 600, split: 'test' })

const namesIn = (text: string) =>
  [...ENGLISH_PEOPLE, ...CHINESE_PEOPLE].filter(({ name }) => new RegExp(`${name}(?![a-z])`).test(text))

const share = (problems: readonly Problem[], match: (problem: Problem) => boolean) =>
  problems.filter(match).length / problems.length

/** What a reader who only knows English or Chinese would do: an independent solver over the question's text. */
const solve = (question: string): number => {
  const numbers = [...question.matchAll(/\d+/g)].map(Number)
  const start = numbers.shift()!
  const packed = /(\d+) (?:\w+) with (\d+) \w+ in each|(\d+)个..，每个..有(\d+)/g
  const products = [...question.matchAll(packed)].map((m) => Number(m[1] ?? m[3]) * Number(m[2] ?? m[4]))
  if (/together|一共/.test(question)) {
    const stock = new Map<string, number>()
    const first = /^(\S+?)(?: has |有)/.exec(question)![1]!
    stock.set(first, start)
    const relation = /(\w+) has (\d+) (more|fewer) \w+ than (\w+)\.|。?([^。]{2})比([^。]{2})(多|少)(\d+)/g
    for (const m of question.matchAll(relation)) {
      const [who, than] = [m[1] ?? m[5]!, m[4] ?? m[6]!]
      const up = m[3] === 'more' || m[7] === '多'
      stock.set(who, stock.get(than)! + (up ? 1 : -1) * Number(m[2] ?? m[8]))
    }
    const asked = /do (\w+) and (\w+) have|(?<=。)([^。]{2})和([^。]{2})一共/.exec(question)!
    return stock.get(asked[1] ?? asked[3]!)! + stock.get(asked[2] ?? asked[4]!)!
  }
  let value = products.length > 0 ? products.reduce((a, b) => a + b) : start
  const sentences = question.split(/[.。]/).slice(1)
  for (const sentence of sentences) {
    const amount = /\d+/.exec(sentence)
    if (!amount) continue
    const up = /buys|gets|finds|picks|makes|买了|找到|给了|做了|拿来/.test(sentence)
    const down = /gives|uses|loses|sells|throws|送给|丢了|卖掉|用掉|扔掉/.test(sentence)
    expect(up !== down, sentence).toBe(true)
    value += up ? Number(amount[0]) : -Number(amount[0])
  }
  return value
}

describe('problems', () => {
  it('are the same for the same seed and others for another', () => {
    expect(drawProblems({ seed: 5, count: 50, split: 'train' })).toEqual(
      drawProblems({ seed: 5, count: 50, split: 'train' }),
    )
    expect(drawProblems({ seed: 6, count: 50, split: 'train' })).not.toEqual(
      drawProblems({ seed: 5, count: 50, split: 'train' }),
    )
  })

  it('compute every step from numbers that are there, within 0..120', () => {
    for (const problem of [...train, ...test]) {
      const known = new Set(problem.numbers)
      for (const { a, operator, b, result } of problem.equations) {
        expect(result).toBe(compute(a, operator, b))
        expect(known.has(a) && known.has(b), problem.question).toBe(true)
        known.add(result)
      }
      expect(problem.equations).toHaveLength(problem.steps)
      expect(problem.answer).toBe(problem.equations.at(-1)!.result)
      const all = [...`${problem.question} ${withSteps(problem).output}`.matchAll(/\d+/g)].map(Number)
      expect(Math.max(...all)).toBeLessThanOrEqual(120)
    }
  })

  it('write in the solution what they compute', () => {
    for (const problem of train.slice(0, 1000)) {
      const written = [...withSteps(problem).output.matchAll(/(\d+)([+\-×])(\d+)=(\d+)/g)].map((m) => m[0])
      expect(written).toEqual(problem.equations.map(({ text }) => text))
    }
  })

  it('mean what they say: a solver that reads only the question finds the answer', () => {
    for (const problem of [...train, ...test]) {
      expect(solve(problem.question), problem.question).toBe(problem.answer)
    }
  })

  it('never have a singular of an English plural', () => {
    for (const problem of [...train, ...test]) {
      expect(`${problem.question} ${withSteps(problem).output}`).not.toMatch(/\b1 (more |fewer )?[a-z]+s\b/)
    }
  })

  it('share no numbers, no names and no text between training and test', () => {
    const tuples = new Set(train.map(({ numbers }) => numbers.join()))
    const questions = new Set(train.map(({ question }) => question))
    const held = new Set([...heldOutPeople(ENGLISH_PEOPLE), ...heldOutPeople(CHINESE_PEOPLE)])
    expect(held.size).toBe(14)
    for (const { numbers, question } of test) {
      expect(tuples.has(numbers.join())).toBe(false)
      expect(questions.has(question)).toBe(false)
      expect(splitOf(numbers)).toBe('test')
      for (const person of namesIn(question)) expect(held.has(person), question).toBe(true)
    }
    for (const { question, numbers } of train) {
      expect(splitOf(numbers)).toBe('train')
      const people = namesIn(question)
      expect(people.length).toBeGreaterThan(0)
      for (const person of people) expect(held.has(person), question).toBe(false)
    }
    expect(trainingPeople(ENGLISH_PEOPLE)).toHaveLength(32)
  })

  it('have distinct questions', () => {
    expect(new Set(train.map(({ question }) => question)).size).toBe(train.length)
    expect(new Set(test.map(({ question }) => question)).size).toBe(test.length)
  })

  it('keep the shares of kinds, languages and lengths in both splits', () => {
    for (const problems of [train, test]) {
      expect(share(problems, ({ language }) => language === 'zh')).toBeCloseTo(0.4, 1)
      for (const [kind, expected] of [
        ['R', 3],
        ['C', 2],
        ['B', 3],
        ['D', 3],
      ] as const) {
        expect(Math.abs(share(problems, (problem) => problem.kind === kind) - expected / 11)).toBeLessThan(
          0.05,
        )
      }
      expect(new Set(problems.map(({ steps }) => steps))).toEqual(new Set([2, 3, 4]))
    }
  })

  it('cannot be answered by a constant, the first or the last number', () => {
    const counts = new Map<number, number>()
    for (const { answer } of train) counts.set(answer, (counts.get(answer) ?? 0) + 1)
    const [favourite] = [...counts].sort((a, b) => b[1] - a[1])[0]!
    expect(counts.size).toBeGreaterThan(110)
    expect(share(test, ({ answer }) => answer === favourite)).toBeLessThan(0.04)
    expect(share(test, ({ answer, numbers }) => answer === numbers[0])).toBeLessThan(0.04)
    expect(share(test, ({ answer, numbers }) => answer === numbers.at(-1))).toBeLessThan(0.04)
  })

  it('give one problem in eight to the test split', () => {
    let tests = 0
    for (let a = 5; a <= 80; a++)
      for (let b = 2; b <= 40; b++)
        for (let c = 2; c <= 40; c++) {
          if (splitOf([a, b, c]) === 'test') tests++
        }
    expect(tests / (76 * 39 * 39)).toBeCloseTo(1 / 8, 2)
  })

  it('end in the answer in both forms of output', () => {
    for (const problem of test) {
      expect(answerIn(withSteps(problem).output)).toBe(problem.answer)
      expect(answerIn(answerOnly(problem).output)).toBe(problem.answer)
      expect(withSteps(problem).output.endsWith(answerOnly(problem).output)).toBe(true)
    }
  })

  it('fit into a window of 192 tokens with the Alpaca template', async () => {
    const tokenizer = Tokenizer.fromFile(fileURLToPath(new URL('../model/tokenizer.json', import.meta.url)))
    const texts = [...train, ...test].map((problem) => {
      const { instruction, output } = withSteps(problem)
      return (
        'Below is an instruction that describes a task. Write a response that appropriately completes the request.' +
        `\n\n### Instruction:\n${instruction}\n\n### Response: ${output} `
      )
    })
    const encodings = await tokenizer.encodeBatch(texts)
    const lengths = encodings.map((encoding) => encoding.getLength() + 1)
    expect(Math.max(...lengths)).toBeLessThanOrEqual(192)
  })
})

describe('writeProblems', () => {
  let folder = ''
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'ift-quickstart-'))))
  afterAll(() => rmSync(folder, { recursive: true }))

  it('writes the same problems in the same order for both kinds of output', () => {
    const paths = writeProblems({ out: folder, seed: 3, train: 40, test: 20 })
    const read = (path: string) =>
      readFileSync(path, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { instruction: string; output: string; answer: number })
    const [cot, answers, held] = [read(paths.cot), read(paths.answers), read(paths.test)]
    expect(cot.map(({ instruction }) => instruction)).toEqual(answers.map(({ instruction }) => instruction))
    expect(cot.map(({ output }) => answerIn(output))).toEqual(answers.map(({ output }) => answerIn(output)))
    expect(held.map(({ instruction, answer }) => [instruction, answer])).toEqual(
      test.slice(0, 20).map(({ question, answer }) => [question, answer]),
    )
  })
})

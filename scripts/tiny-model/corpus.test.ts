import { describe, expect, it } from 'vitest'
import { batches, tokenizerWords, windows } from './corpus.mjs'
import { documents, type Kind, shares } from './corpus/mixture.mjs'
import { equationsIn, violations } from './corpus/rules.mjs'

const COUNT = 60_000
const words = tokenizerWords()
const sample = (() => {
  const next = documents({ seed: 11, words })
  return Array.from({ length: COUNT }, (_, i) => next(i / COUNT))
})()
const of = (kind: Kind) => sample.filter((document) => document.kind === kind).map(({ text }) => text)

describe('violations', () => {
  it.each([
    ['Below is an instruction that describes a task.', 'header'],
    ['a\n\n### Response: b', 'header'],
    ["Let's think step by step. 3+4=7.", 'opens'],
    ['让我们一步一步思考。', 'opens'],
    ['The answer is 12.', 'answer phrase'],
    ['答案是12。', 'answer phrase'],
    ['3+4=8', 'wrong statement'],
    ['What is 3 plus 4? It is 8.', 'wrong statement'],
    ['3加4等于8。', 'wrong statement'],
    ['3 + 4 = 7. 7 - 2 = 5.', 'operand'],
    ['3 times 4 is 12. 5 plus 12 is 17.', 'operand'],
    ['3乘4是多少？是12。12减5是多少？是7。', 'operand'],
    ['Count: 121.', 'above 120'],
  ])('finds what is wrong with %j', (text, expected) => expect(violations(text).join()).toContain(expected))

  it.each(['The answer is on the table.', '3+4=7. 4+2=6.', '让我们去公园。', "Let's go. Step by step."])(
    'finds nothing in %j',
    (text) => expect(violations(text)).toEqual([]),
  )
})

describe('the corpus', () => {
  it('breaks no rule in a large sample', () => {
    for (const { text } of sample) expect(violations(text), text).toEqual([])
  })

  it('is the same for the same seed, another for another', () => {
    const texts = (seed: number) => [...batches({ seed, count: 200 })].flat()
    expect(texts(1)).toEqual(texts(1))
    expect(texts(1)).not.toEqual(texts(2))
  })

  it('has every number 0..120, as a number and as a result', () => {
    const numbers = new Set<number>()
    const results = new Set<number>()
    for (const { text } of sample) {
      for (const [number] of text.matchAll(/\d+/g)) numbers.add(Number(number))
      for (const { result } of equationsIn(text)) results.add(result)
    }
    const all = Array.from({ length: 121 }, (_, i) => i)
    expect([...numbers].sort((a, b) => a - b)).toEqual(all)
    expect([...results].sort((a, b) => a - b)).toEqual(all)
  })

  it('computes one step in a text about people, none in a retelling, a repetition or a recall', () => {
    for (const kind of ['one_en', 'one_zh'] as const) {
      for (const text of of(kind)) expect(equationsIn(text).length, text).toBeLessThanOrEqual(1)
      expect(of(kind).filter((text) => equationsIn(text).length === 1).length).toBeGreaterThan(0)
    }
    for (const kind of ['retell', 'again', 'recall', 'copy', 'count', 'comp', 'sent'] as const) {
      for (const text of of(kind)) expect(equationsIn(text), text).toEqual([])
    }
  })

  it('states only right arithmetic, of many facts a document', () => {
    for (const kind of ['facts', 'facts0'] as const) {
      for (const text of of(kind)) expect(equationsIn(text).length, text).toBeGreaterThanOrEqual(2)
    }
  })

  it('has the kinds in their shares, repetition mostly in the first half', () => {
    const half = (late: boolean, kind: Kind) =>
      sample.filter((document, i) => i >= COUNT / 2 === late && document.kind === kind).length / (COUNT / 2)
    for (const late of [false, true]) {
      const weights = shares(late ? 0.75 : 0.25)
      const sum = weights.reduce((total, [weight]) => total + weight, 0)
      for (const [weight, kind] of weights)
        expect(Math.abs(half(late, kind) - weight / sum)).toBeLessThan(0.01)
    }
    expect(half(true, 'again')).toBeLessThan(half(false, 'again') / 2)
  })

  it('puts other text between the repetitions of the second half', () => {
    for (const { text, kind } of sample.slice(COUNT / 2)) {
      if (kind !== 'again') continue
      const [first = '', second] = text.split(/(?<=[.。])\s?/)
      expect(second, text).not.toContain(first)
    }
  })

  it('pairs names with numbers in recall and asks for two of up to four people in sums', () => {
    expect(of('recall').filter((text) => /\d/.test(text)).length / of('recall').length).toBeGreaterThan(0.4)
    const sums = of('one_en').filter((text) => text.includes('together?'))
    const people = (text: string) => [...text.matchAll(/\w+ has \d+/g)].length
    expect(new Set(sums.map(people))).toEqual(new Set([2, 3, 4]))
  })

  it('has equations with and without spaces', () => {
    const spaced = sample.filter(({ text }) => /\d = \d/.test(text)).length
    const tight = sample.filter(({ text }) => /\d=\d/.test(text)).length
    expect(spaced / (spaced + tight)).toBeGreaterThan(0.06)
    expect(spaced / (spaced + tight)).toBeLessThan(0.1)
  })

  it('uses the words of the Alpaca templates in ordinary sentences', () => {
    const text = of('sent').join('\n')
    const header =
      'Below instruction describes task Write response appropriately completes request Instruction Response ###'
    for (const word of header.split(' ')) expect(text).toContain(word)
  })
})

describe('windows', () => {
  it('are documents between <s> and </s>, laid end to end and cut', async () => {
    const cut: number[][] = []
    for await (const ids of windows(batches({ seed: 4, count: 300 }), 192)) cut.push(ids)
    const long: number[] = []
    for await (const ids of windows(batches({ seed: 4, count: 300 }), 960)) long.push(...ids)
    expect(cut.every((ids) => ids.length === 192)).toBe(true)
    expect(cut.flat().slice(0, long.length)).toEqual(long)
    const flat = cut.flat()
    expect(flat[0]).toBe(1)
    flat.forEach((id, i) => {
      if (i > 0 && id === 1) expect(flat[i - 1]).toBe(2)
    })
  })
})

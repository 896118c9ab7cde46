import { describe, expect, it } from 'vitest'
import { commonBeginning, difference, repeatsFour, settled, wordsOf, type Part } from './difference.js'

const marked = (parts: readonly Part[]) => parts.map(({ text, only }) => (only ? `[${text}]` : text)).join('')

describe('differences', () => {
  it('are by words', () => {
    const { a, b } = difference(
      'A model is too complex and fits the data.',
      'A model is too closely fit to the data.',
    )
    expect(marked(a)).toBe('A model is too [complex and fits ]the data.')
    expect(marked(b)).toBe('A model is too [closely fit to ]the data.')
  })

  it('are by characters in Chinese, joined to runs', () => {
    const { a, b } = difference('过拟合是模型记住了训练数据。', '过拟合指模型学会了训练数据。')
    expect(marked(a)).toBe('过拟合[是]模型[记住]了训练数据。')
    expect(marked(b)).toBe('过拟合[指]模型[学会]了训练数据。')
  })

  it('join short words between two marks', () => {
    const { a, b } = difference('one red cat of mine ran home', 'one big dog of yours went home')
    expect(marked(a)).toBe('one [red cat of mine ran ]home')
    expect(marked(b)).toBe('one [big dog of yours went ]home')
  })

  it('leave longer common words alone', () => {
    expect(marked(difference('a red house there', 'a blue house here').a)).toBe('a [red ]house [there]')
  })

  it('are none of spaces', () => {
    expect(difference('a b\n', 'a  b').changed).toBe(0)
  })

  it('keep every character of both', () => {
    const [a, b] = ['To solve this,\n\n  12 × 3 = 36. 你好', 'So, solve it: 12 * 3\t= 36! 您好 ']
    const found = difference(a, b)
    expect(found.a.map(({ text }) => text).join('')).toBe(a)
    expect(found.b.map(({ text }) => text).join('')).toBe(b)
  })

  it('have ends', () => {
    expect(difference('', '')).toEqual({ a: [], b: [], changed: 0 })
    expect(difference('same', 'same')).toMatchObject({ changed: 0 })
    expect(difference('', 'all new').changed).toBe(1)
  })

  it('of long texts are found at once', () => {
    const text = (seed: number) => Array.from({ length: 5000 }, (_, i) => `w${(i * seed) % 997}`).join(' ')
    const started = performance.now()
    const { changed } = difference(text(7), text(11))
    expect(changed).toBeGreaterThan(0.5)
    expect(performance.now() - started).toBeLessThan(3000)
  })

  it('settle while texts are written, by whole words', () => {
    expect(settled('The cat sat', 'The cat sa')).toBe('The cat '.length)
    expect(settled('x', 'y')).toBe(0)
  })
})

describe('tokens of two answers', () => {
  it('begin alike', () => {
    expect(commonBeginning(['a', 'b', 'c'], ['a', 'b', 'd'])).toBe(2)
    expect(commonBeginning([], ['a'])).toBe(0)
  })

  it('repeat themselves or not', () => {
    expect(repeatsFour('a b c d x a b c d'.split(' '))).toBe(true)
    expect(repeatsFour('a b c a b c a'.split(' '))).toBe(true)
    expect(repeatsFour('a b c d e a b c'.split(' '))).toBe(false)
  })

  it('are words with the spaces behind them', () => {
    expect(wordsOf("It's 36, 你好 a")).toEqual(["It's ", '36', ', ', '你', '好 ', 'a'])
  })
})

import { describe, expect, it } from 'vitest'
import * as numbers from './numbers.js'

describe('numbers', () => {
  it('have one precision, thousands and a true minus', () => {
    expect(numbers.fixed(-1234.5678, 2)).toBe('−1,234.57')
    expect(numbers.fixed(-0.00001, 2)).toBe('0.00')
    expect(numbers.whole(73318)).toBe('73,318')
    expect(numbers.loss(1.52388)).toBe('1.5239')
    expect(numbers.perplexity(5.5471)).toBe('5.547')
    expect(numbers.gib(1.86 * 2 ** 30)).toBe('1.86')
  })

  it('show what is missing or not finite as that', () => {
    expect(numbers.loss(null)).toBe('—')
    expect(numbers.loss(undefined)).toBe('—')
    expect(numbers.loss(Number.NaN)).toBe('NaN')
    expect(numbers.loss(-Infinity)).toBe('−∞')
    expect(numbers.percent(null)).toBe('—')
    expect(numbers.bytes(null)).toBe('—')
  })

  it('write changes with their sign', () => {
    expect(numbers.change(-0.0746, 4)).toBe('−0.0746')
    expect(numbers.change(0.021, 4)).toBe('+0.0210')
    expect(numbers.change(0, 4)).toBe('0.0000')
    expect(numbers.change(1e-9, 4)).toBe('0.0000')
  })

  it('write rates as they are typed', () => {
    expect(numbers.rate(3e-4)).toBe('3e-4')
    expect(numbers.rate(7.2413e-5)).toBe('7.24e-5')
    expect(numbers.rate(0.05)).toBe('0.05')
    expect(numbers.rate(0)).toBe('0')
    expect(numbers.rate(-2e-3)).toBe('−2e-3')
    expect(numbers.rate(1e5)).toBe('1e5')
  })

  it('write bytes and shares', () => {
    expect(numbers.bytes(9_800_000)).toBe('9.8 MB')
    expect(numbers.bytes(118_200_000)).toBe('118 MB')
    expect(numbers.bytes(512)).toBe('512 B')
    expect(numbers.bytes(999_700)).toBe('1.0 MB')
    expect(numbers.percent(0.6478)).toBe('65 %')
    expect(numbers.percentOf(0.1049)).toBe('10.5')
  })

  it('give a column one precision, told by its smallest value', () => {
    expect(numbers.column([0.17, 12.5, null])).toEqual(['0.170', '12.500', '—'])
    expect(numbers.column([511.2, 498.7])).toEqual(['511', '499'])
    expect(numbers.column([])).toEqual([])
  })

  it('cut long names in the middle, whole characters at a time', () => {
    expect(numbers.middle('smol-alpaca-lora-r8-lr1e-4', 11)).toBe('smol-…r1e-4')
    expect(numbers.middle('short', 11)).toBe('short')
    expect(numbers.middle('😀😀😀😀😀', 3)).toBe('😀…😀')
  })
})

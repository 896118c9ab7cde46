import { describe, expect, it } from 'vitest'
import { readNumber, stepped, writeNumber } from './number-text.js'

describe('numbers of fields', () => {
  it.each([
    ['3e-4', 3e-4],
    [' 1k ', 1000],
    ['1.5M', 1_500_000],
    ['50 %', 0.5],
    ['7%', 0.07],
    ['2,048', 2048],
    ['−2.5', -2.5],
    ['.5', 0.5],
    ['1e400', null],
    ['', null],
    ['abc', null],
    ['1 2', null],
    ['0x10', null],
    ['--1', null],
  ])('%j', (text, value) => {
    expect(readNumber(text)).toBe(value)
  })

  it('reads back what it writes', () => {
    for (const value of [3e-4, 1e21, 0.1, -7, 123456789]) expect(readNumber(writeNumber(value))).toBe(value)
  })

  it('steps by a tenth of the leading digit', () => {
    expect(stepped(3e-4, 1, false)).toBe(3.1e-4)
    expect(stepped(512, 1, true)).toBe(522)
    expect(stepped(8, -1, true)).toBe(7)
    expect(stepped(0.9, 1, false)).toBe(0.91)
    expect(stepped(0, 1, false)).toBe(0.1)
  })
})

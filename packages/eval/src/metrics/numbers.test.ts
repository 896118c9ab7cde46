import { expect, test } from 'vitest'
import { chineseNumber, numbersIn, sameNumber } from './numbers.js'

const texts = (text: string) => numbersIn(text).map((found) => found.text)

test('numbers of a text, however they are written', () => {
  expect(texts('有３个苹果，１，２３４．５ 元')).toEqual(['3', '1,234.5'])
  expect(texts('-5, −6 and 16-3=13')).toEqual(['-5', '-6', '16', '3', '13'])
  expect(texts('3/4, 1 1/2, ½, 1½ and \\frac{3}{4}')).toEqual([
    '3/4',
    '1 1/2',
    '1/2',
    '1 1/2',
    '\\frac{3}{4}',
  ])
  expect(texts('$1,200.50 or ￥30')).toEqual(['$1,200.50', '¥30'])
  expect(texts('50%, ５０％ and 50\\%')).toEqual(['50%', '50%', '50\\%'])
  expect(texts('.5 and 1.2.3')).toEqual(['.5', '1.2', '3'])
  expect(texts('2023/5/6')).toEqual(['2023', '5', '6'])
  expect(texts('1,2345 and 12,34')).toEqual(['1', '2345', '12', '34'])
  expect(texts('none')).toEqual([])
  // No number ends in a division by zero, or takes more time than a text.
  expect(texts('1/0')).toEqual([])
  expect(texts(`${'9'.repeat(100_000)} then 4`)).toEqual(['4'])
})

test('one value in two spellings', () => {
  for (const [a, b] of [
    ['0.5', '1/2'],
    ['50%', '1/2'],
    ['50%', '50'],
    ['50', '５０％'],
    ['1,000', '1000.00'],
    ['1.5万', '15000'],
    ['2亿', '200000000'],
    ['1 1/2', '1.5'],
    ['\\dfrac{6}{4}', '3/2'],
    ['-3', '−3'],
    ['0.1', '.10'],
    ['12 个', '12'],
  ] as const)
    expect(sameNumber(a, b), `${a} and ${b}`).toBe(true)
  for (const [a, b] of [
    ['0.3333', '1/3'],
    ['50%', '5000'],
    ['-3', '3'],
    ['', ''],
    ['three', '3'],
    ['9007199254740993', '9007199254740992'],
  ] as const)
    expect(sameNumber(a, b), `${a} and ${b}`).toBe(false)
})

test('the number of a Chinese answer', () => {
  expect(chineseNumber('先算 3+4=7，再乘 2。所以答案是 14。')).toBe('14')
  expect(chineseNumber('答案是：１，２３４元。')).toBe('1,234')
  expect(chineseNumber('答案为 3/4')).toBe('3/4')
  expect(chineseNumber('因此，答案是百分之几？答案是 25％')).toBe('25%')
  expect(chineseNumber('答案：x = 12，y = 3')).toBe('12')
  expect(chineseNumber('答案是 3 + 4 = 7 个')).toBe('7')
  expect(chineseNumber('答案是 5。验算：2+3=5，共用 9 步')).toBe('5')
  // The last answer without a number leaves the one before it.
  expect(chineseNumber('答案是 8。这就是答案。')).toBe('8')
  expect(chineseNumber('我不知道 3')).toBeNull()
  expect(chineseNumber('')).toBeNull()
})

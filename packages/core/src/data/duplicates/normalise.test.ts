import { expect, test } from 'vitest'
import { DataRandom } from '../random.js'
import { normalise } from './normalise.js'
import { Units } from './units.js'

const same = (a: string, b: string) => {
  expect(normalise(a), `${a} / ${b}`).toBe(normalise(b))
}
const different = (a: string, b: string) => {
  expect(normalise(a), `${a} / ${b}`).not.toBe(normalise(b))
}

test('case, spaces, punctuation and forms of characters do not count', () => {
  same('What is a bond?', '  what is\n\ta BOND ')
  same('"Hello", said he.', 'hello said he')
  same('Don’t — stop…', "don't stop")
  same('ＡＢＣ　１２３', 'abc 123')
  same('ﬁne café', 'fine cafe\u0301')
  same('zero\u200bwidth', 'zerowidth')
  same('**Bold** and *slanted* `code`', 'Bold and slanted code')
  same('- one\n- two', '* one\n* two')
  same('你好，世界。', '你好 世界')
  same('用 Python 写', '用Python写')
  same('１．下列说法正确的是（　　）', '1.下列说法正确的是()')
})

test('signs that change the meaning count', () => {
  const sums = ['2-2', '2+2', '2*2', '2/2', '22', '2.2', '2,2', '2:2', '2 2', '2^2', '2%2', '2<2', '-2 2']
  expect(new Set(sums.map((sum) => normalise(`What is ${sum}?`))).size).toBe(sums.length)
  different('12 * 7', '12 / 7')
  different('5 - 3', '5 3')
  different('solve x=-5', 'solve x=5')
  different('|-5|', '|5|')
  different('Write C# code', 'Write C code')
  different('Write C++ code', 'Write C code')
  different('a 5% rise', 'a 5 rise')
  different('(2+3)*4', '2+(3*4)')
  different('R&D', 'R D')
  different('😀', '😢')
})

test('a text of nothing but punctuation is compared as it is', () => {
  expect(normalise(' ?!  … ')).toBe('?! ...')
  different('?', '!')
  expect(normalise(' \n\u200b ')).toBe('')
})

test('any text has a normal form, with single spaces between and none at the ends', () => {
  const random = new DataRandom('texts')
  const alphabet = Array.from(
    'aZ0 9.,:-*/#%&()?!\n\t\u0001"\'ßİÅﬁ…—“”、。，（）１Ａ你好世カナﾊﾝｸหอ한글😀𠮷\u200d\u0301',
  )
  for (let turn = 0; turn < 2000; turn++) {
    const text = Array.from(
      { length: 1 + random.below(12) },
      () => alphabet[random.below(alphabet.length)],
    ).join('')
    const normal = normalise(text)
    expect(normal, JSON.stringify(text)).not.toMatch(/^ | $| {2}|[\p{Cc}\u200d]/u)
    expect(normalise(`\n ${text}\t`)).toBe(normal)
  }
})

test('units are words, and characters where words have no spaces', () => {
  const read = (text: string) => {
    const units = new Units()
    units.read(text)
    return Array.from({ length: units.count }, (_, i) => text.slice(units.starts[i], units.ends[i]))
  }
  expect(read('two words')).toEqual(['two', 'words'])
  expect(read('用python写')).toEqual(['用', 'python', '写'])
  expect(read('𠮷野家 x')).toEqual(['𠮷', '野', '家', 'x'])
  expect(read('한국어 글')).toEqual(['한국어', '글'])
  expect(read('')).toEqual([])
  const many = Array.from({ length: 3000 }, (_, i) => `w${i}`).join(' ')
  expect(read(many)).toHaveLength(3000)
})

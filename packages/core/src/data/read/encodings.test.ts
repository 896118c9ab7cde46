import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { makeZip } from './archive/zip.fixture.js'
import { encodingsOf } from './encodings.js'
import { problem, put, read, inFolder } from './read.fixture.js'

inFolder()

// Made by Python's codecs, which the comments name.
const texts = {
  // 今天天气怎么样？请用中文回答我的问题。, gb18030
  gb18030: 'vfHM7MzsxvjU9cO00fmjv8fr08PW0M7Eu9i08M7StcTOyszioaM=',
  // 請問今天天氣怎麼樣？我想知道這個問題的答案。, big5
  big5: 'vdCw3aS1pNGk0a7wq+e78rzLoUin2rdRqr65RLNvrdOw3cNEqrq1qq7XoUM=',
  // 今日の天気はどうですか。教えてください。, shift_jis
  shift_jis: 'jaGT+oLMk1aLQ4LNgseCpILFgreCqYFCi7OCpoLEgq2CvoKzgqKBQg==',
  // 오늘 날씨가 어떻습니까? 대답해 주세요., euc_kr
  'euc-kr': 'v8C0wyCzr76+sKEgvu62u73AtM+x7j8gtOu05MfYIMHWvLy/5C4=',
  // Как погода сегодня? Ответьте, пожалуйста., cp1251
  'windows-1251': 'yuDqIO/u4+7k4CDx5ePu5O3/PyDO8uLl8vzy5Swg7+7m4Ovz6fHy4C4=',
}
const bytesOf = (text: string) =>
  Buffer.concat([Buffer.from('{"q":"'), Buffer.from(text, 'base64'), Buffer.from('"}\n')])

test.each(Object.entries(texts))('%s is proposed, and reads the file', async (encoding, text) => {
  await put('rows.jsonl', Buffer.concat([Buffer.from('{"q":"plain"}\n'), bytesOf(text)]))
  const error = await problem(read('rows.jsonl'))
  expect(error.code).toBe('IFT_DATA_ENCODING')
  expect(error.message).toContain('rows.jsonl:2: the file is not UTF-8')
  expect(error.hint).toMatch(new RegExp(`^encoding: ${encoding} decodes it`))
  const [, row] = await read('rows.jsonl', { encoding })
  expect(new TextDecoder(encoding).decode(Buffer.from(text, 'base64'))).toBe(row!.record['q'])
})

test.each(['utf-16le', 'utf-16be'])('%s without a mark', async (encoding) => {
  const text = '{"q":"请用中文回答"}\n{"q":"b"}\n'
  const bytes = Buffer.from(text, 'utf16le')
  if (encoding === 'utf-16be') bytes.swap16()
  await put('rows.jsonl', bytes)
  const error = await problem(read('rows.jsonl'))
  expect(error.code).toBe('IFT_DATA_ENCODING')
  expect(error.hint).toBe(`encoding: ${encoding} decodes it.`)
  expect(await read('rows.jsonl', { encoding })).toHaveLength(2)
})

test('the wrong encoding is told by its line, and UTF-8 by its name', async () => {
  await put('rows.jsonl', `${'{"q":"a"}\n'.repeat(200_000)}{"q":"中文字"}\n{"q":"b"}\n`)
  const error = await problem(read('rows.jsonl', { encoding: 'big5' }))
  expect(error.message).toContain('rows.jsonl:200001: the file is not big5')
  expect(error.hint).toBe('It is UTF-8: leave out `encoding`.')
})

test('tables, compressed files and entries of archives are tried too', async () => {
  const table = Buffer.concat([
    Buffer.from('q,a\n1,'),
    Buffer.from(texts.gb18030, 'base64'),
    Buffer.from('\n'),
  ])
  await put('table.csv', table)
  await put('table.csv.gz', gzipSync(table))
  await put('table.zip', makeZip([{ name: 'table.csv', data: table }]))
  for (const name of ['table.csv', 'table.csv.gz', 'table.zip']) {
    const error = await problem(read(name))
    expect(error.message).toMatch(/table\.csv(\.gz)?:2: the file is not UTF-8/)
    expect(error.hint).toMatch(/^encoding: gb18030 decodes it/)
    expect(await read(name, { encoding: 'gb18030' })).toHaveLength(1)
  }
})

test('bytes that are no text', async () => {
  await put('rows.jsonl', Uint8Array.of(0x7b, 0xff, 0xfe, 0xff, 0x80, 0x0a))
  const error = await problem(read('rows.jsonl'))
  expect(error.hint).toMatch(/^(The file is damaged, or no text|encoding: windows-\d+ decodes it)/)
  expect(await encodingsOf({ chunks: [Buffer.from('plain')], isWhole: true })).toContain('utf-8')
})

const chinese = '{"q":"请用中文回答我的问题"}\n'
const bad = Buffer.from('{"q":"\xe9t\xe9"}\n', 'latin1')

test('a damaged line of UTF-8 is told, not decoded by an encoding that takes any byte', async () => {
  const cases: [string, (Buffer | string)[], number][] = [
    ['Chinese', [chinese.repeat(3), bad, chinese], 4],
    ['French', ['{"q":"élève"}\n'.repeat(20), bad], 21],
    [
      'one long line',
      [`[${chinese.trim()},`.padEnd(5, ' '), `${chinese.trim()},`.repeat(50), bad.subarray(0, -1), ']'],
      1,
    ],
    ['a character cut short', [chinese.repeat(5), '{"q":"', Buffer.from('问').subarray(0, 2), '"}\n'], 6],
  ]
  for (const [name, parts, line] of cases)
    for (const file of ['rows.jsonl', 'table.csv']) {
      await put(file, Buffer.concat(parts.map((part) => Buffer.from(part))))
      const error = await problem(read(file))
      expect(error.code, name).toBe('IFT_DATA_ENCODING')
      expect(error.message, name).toContain(`${file}:${line}: the file is not UTF-8`)
      expect(error.hint, name).toBe(
        `Line ${line} is damaged, and the rest is UTF-8. Mend or delete the line.`,
      )
    }
  // Read by another encoding.
  await put('rows.jsonl', Buffer.concat([Buffer.from(chinese.repeat(9)), bad]))
  expect((await problem(read('rows.jsonl', { encoding: 'big5' }))).hint).toBe(
    'Line 10 is damaged, and the rest is UTF-8: leave out `encoding`. Mend or delete the line.',
  )
})

test('a damaged line of another encoding', async () => {
  const rows = Array.from({ length: 20 }, () => bytesOf(texts.gb18030))
  for (const broken of ['\x81', '\xff', '\xc4\x20\xfe', '\x84']) {
    await put('rows.jsonl', Buffer.concat([...rows, Buffer.from(`{"q":"${broken}"}\n`, 'latin1'), ...rows]))
    const error = await problem(read('rows.jsonl', { encoding: 'gb18030' }))
    expect(error.message).toContain('rows.jsonl:21: the file is not gb18030')
    expect(error.hint).toMatch(
      /^Line 21 is damaged, and the rest is gb18030\. Mend or delete the line\.( Unless|$)/,
    )
    expect(error.hint).not.toMatch(/encoding: (gb18030|windows)/)
  }
})

test.each(['utf-16le', 'utf-16be'])('a damaged line of %s, with a mark and without', async (encoding) => {
  const encode = (text: string) => {
    const bytes = Buffer.from(text, 'utf16le')
    return encoding === 'utf-16be' ? bytes.swap16() : bytes
  }
  const surrogate = encode('\udc00')
  for (const mark of ['', '\ufeff'])
    for (const text of ['hello 漢字', '漢字'.repeat(12), 'élève', '漢字'.repeat(50_000)])
      for (const given of text.length > 1000 ? [encoding] : [encoding, 'utf-8']) {
        const rows = encode(`{"q":"${text}"}\n`.repeat(20))
        const parts = [encode(`${mark}{"q":"plain"}\n`), rows, encode('{"q":"'), surrogate, encode('"}\n')]
        await put('rows.jsonl', Buffer.concat(parts))
        const { hint } = await problem(read('rows.jsonl', { encoding: given }))
        const use = given === encoding || mark !== '' ? '' : `: encoding: ${encoding}`
        expect(hint).toBe(`Line 22 is damaged, and the rest is ${encoding}${use}. Mend or delete the line.`)
      }
})

test('the encoding that failed is not proposed, however far behind it did', async () => {
  const row = `{"q":"${'é'.repeat(1 << 19)}"}\n`
  await put('rows.jsonl', Buffer.concat([...Array.from({ length: 129 }, () => Buffer.from(row)), bad]))
  const error = await problem(read('rows.jsonl'))
  expect(error.message).toContain('rows.jsonl:130: the file is not UTF-8')
  expect(error.hint).toBe('Line 130 is damaged, and the rest is UTF-8. Mend or delete the line.')
})

test.each([
  ['utf-16le', Buffer.of(0x00, 0xdc)],
  ['utf-16be', Buffer.of(0xdc, 0x00)],
  ['gb18030', Buffer.of(0xff)],
  ['shift_jis', Buffer.of(0xff)],
])('the line of a wrong byte of %s, wherever chunks end', async (encoding, wrong) => {
  // 漢, and U+FFFD in four bytes where there is one.
  const codes = { gb18030: ['\x9dh', '\x841\xa47'], shift_jis: ['\x8a\xbf', '-'] }[encoding]
  const encode = (text: string) => {
    if (codes) return Buffer.from(text.replaceAll('漢', codes[0]!).replaceAll('\ufffd', codes[1]!), 'latin1')
    const bytes = Buffer.from(text, 'utf16le')
    return encoding === 'utf-16be' ? bytes.swap16() : bytes
  }
  for (const [length, shift, lines] of [
    [10, 0, 20_000],
    [10, 1, 20_000],
    [200_000, 0, 3],
    [200_000, 1, 3],
    [200_000, 2, 3],
    [1, 3, 20_000],
  ] as const) {
    const row = `{"q":"\ufffd${'漢'.repeat(length)}"}\n`
    await put(
      'rows.jsonl',
      Buffer.concat([
        encode(' '.repeat(shift) + row.repeat(lines) + '{"q":"漢\ufffd'),
        wrong,
        encode(`"}\n${row}`),
      ]),
    )
    const error = await problem(read('rows.jsonl', { encoding }))
    expect(error.message).toContain(`rows.jsonl:${lines + 1}: the file is not ${encoding}`)
  }
})

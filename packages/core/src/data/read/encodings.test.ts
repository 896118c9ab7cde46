import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { makeZip } from './archive/zip.fixture.js'
import { encodingsOf } from './encodings.js'
import { problem, put, read } from './read.fixture.js'

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

async function* once(bytes: Uint8Array) {
  yield Promise.resolve(bytes)
  await Promise.resolve()
}

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
  expect(await encodingsOf(once(Buffer.from('plain')))).toContain('utf-8')
})

import { describe, expect, it } from 'vitest'
import {
  exported,
  forget,
  history,
  importFile,
  readExported,
  save,
  search,
  titleOf,
  type Entry,
} from './history.js'

const entry = (id: string, updated: number): Entry => ({
  id,
  kind: 'chat',
  title: `Title ${id}`,
  created: 1,
  updated,
})
const isBody = (_: string, body: unknown) => typeof body === 'object' && body !== null && 'turns' in body

describe('history', () => {
  it('is ordered by change, found by texts, written to a file and read back', async () => {
    await save(entry('a', 1), { turns: [{ content: 'Why do Sheep sleep?', tokens: [{ text: 'wolf' }] }] })
    await save(entry('b', 3), { turns: [{ content: '中文 text' }] })
    await save(entry('a', 2), { turns: [{ content: 'Why do Sheep sleep?', tokens: [{ text: 'wolf' }] }] })
    expect(history.value.map(({ id }) => id)).toEqual(['b', 'a'])
    expect([...(await search('chat', 'sheep'))]).toEqual(['a'])
    expect([...(await search('chat', 'title'))]).toEqual(['b', 'a'])
    expect([...(await search('chat', 'wolf'))]).toEqual([])
    const text = JSON.stringify(await exported(history.value))
    await forget(['a'])
    await save(entry('a', 4), { turns: [] })
    expect(history.value.map(({ id }) => id)).toEqual(['b'])
    expect(await importFile(text, isBody)).toBe(1)
    expect(await importFile(text, isBody)).toBe(0)
    expect(history.value.map(({ id }) => id)).toEqual(['b', 'a'])
  })

  it.each([
    ['{', 'Expected JSON'],
    ['null', '"format": "ift-history"'],
    ['{"format":"ift-history","version":2,"items":[]}', 'Expected version 1, found 2.'],
    ['{"format":"ift-history","version":1,"items":[{"entry":{"id":"../x"}}]}', 'items[0].entry'],
    [
      JSON.stringify({ format: 'ift-history', version: 1, items: [{ entry: entry('c', 1), body: 3 }] }),
      'items[0].body',
    ],
  ])('says what is wrong with %s', (text, message) => {
    expect(() => readExported(text, isBody)).toThrow(message)
  })

  it('makes titles of one line', () => {
    expect(titleOf('  What\nis  this? ')).toBe('What is this?')
    expect(titleOf('x'.repeat(80))).toHaveLength(60)
  })
})

import { describe, expect, it } from 'vitest'
import { sentencesEnd } from './sentences.js'

describe('sentences', () => {
  it.each([
    ['', ''],
    ['No end yet', ''],
    ['One. Two', 'One. '],
    ['3.5 of them', ''],
    ['He said "no." Then', 'He said "no." '],
    ['第一句。第二', '第一句。'],
    ['line\nnext', 'line\n'],
  ])('%j are whole up to %j', (text, whole) => {
    expect(text.slice(0, sentencesEnd(text))).toBe(whole)
  })
})

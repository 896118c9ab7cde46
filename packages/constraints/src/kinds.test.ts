import { describe, expect, test } from 'vitest'
import type { ConstraintState, TokenBytes } from '@ift/core'
import { choices, regex, schema } from './index.js'

const utf8 = new TextEncoder()

/** Bytes, then words, then the end. */
const words = ['{"', '":', '": ', 'age', 'yes', 'no', 'é', '中', ' yes', '}\n']
const tokens: TokenBytes = {
  size: 256 + words.length + 2,
  bytes: (id) =>
    id < 256 ? Uint8Array.of(id) : words[id - 256] === undefined ? null : utf8.encode(words[id - 256]),
  ends: new Set([256 + words.length]),
}
const end = 256 + words.length
const has = (state: ConstraintState, id: number) => ((state.mask()[id >>> 5]! >>> (id & 31)) & 1) === 1
const open = (state: ConstraintState) =>
  Array.from({ length: tokens.size }, (_, id) => id).filter((id) => has(state, id))

describe('masks', () => {
  test('tokens that begin an allowed text, of one byte or several', async () => {
    const compile = await choices.for(tokens)
    const constraint = await compile(['yes', 'é!'])
    const state = constraint.begin()
    const [y, e] = ['y', 'é'].map((text) => utf8.encode(text)[0]!)
    expect(open(state)).toEqual([y, e, 256 + words.indexOf('yes'), 256 + words.indexOf('é')])
    state.accept(256 + words.indexOf('é'))
    expect(open(state)).toEqual(['!'.charCodeAt(0)])
    state.accept('!'.charCodeAt(0))
    expect(state.ended).toBe(true)
    expect(open(state)).toEqual([end])
    // Another answer begins anew.
    expect(open(constraint.begin())).toHaveLength(4)
  })

  test('the end where an answer may end', async () => {
    const state = (await (await regex.for(tokens))('no(no)*')).begin()
    const no = 256 + words.indexOf('no')
    expect(has(state, end)).toBe(false)
    state.accept(no)
    expect(has(state, end)).toBe(true)
    expect(has(state, no)).toBe(true)
    expect(has(state, 256 + words.indexOf('yes'))).toBe(false)
  })

  test('a token that may not come is an error', async () => {
    const state = (await (await regex.for(tokens))('no')).begin()
    expect(() => {
      state.accept(256 + words.indexOf('yes'))
    }).toThrow(expect.objectContaining({ code: 'IFT_CONSTRAINT' }))
  })

  test('tokens of no text never come', async () => {
    const state = (await (await schema.for(tokens))(true)).begin()
    expect(has(state, tokens.size - 1)).toBe(false)
    expect(has(state, 256 + words.indexOf('{"'))).toBe(true)
  })
})

test('blanks of an answer in JSON have an end, unless the schema says otherwise', async () => {
  const compile = await schema.for(tokens)
  const blanks = async (value: object) => {
    const state = (await compile(value)).begin()
    state.accept('['.charCodeAt(0))
    let count = 0
    for (; count < 60 && has(state, ' '.charCodeAt(0)); count++) state.accept(' '.charCodeAt(0))
    return count
  }
  expect(await blanks({ type: 'array' })).toBe(1)
  expect(await blanks({ type: 'array', 'x-guidance': { whitespace_flexible: false } })).toBe(0)
  expect(await blanks({ type: 'array', 'x-guidance': {} })).toBe(60)
})

test('a vocabulary without bytes holds answers to nothing', () => {
  expect(() => regex.for({ ...tokens, bytes: () => null })).toThrow(
    expect.objectContaining({ code: 'IFT_CONSTRAINT' }),
  )
})

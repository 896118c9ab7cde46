import { describe, expect, it } from 'vitest'
import { defaults, readStop, readTools, seedOf, writeStop } from './parameters.js'
import {
  branchOf,
  isConversation,
  messagesOf,
  thread,
  upTo,
  withBranch,
  withChange,
  withTurn,
  type Conversation,
  type Turn,
} from './tree.js'

const empty: Conversation = {
  ...{ version: 1, model: null, system: '', tools: '', parameters: defaults, tint: false },
  ...{ turns: [], chosen: {}, sentFrom: null },
}
const turn = (id: string, parent: string | null, role: Turn['role'] = 'user'): Turn => ({
  id,
  parent,
  role,
  content: `text ${id}`,
})
const built = (turns: readonly Turn[]) => turns.reduce(withTurn, empty)
const shown = (conversation: Conversation) =>
  thread(conversation)
    .map(({ id }) => id)
    .join(' ')
const find = ({ turns }: Conversation, id: string) => turns.find((one) => one.id === id)!

//  a ─ b ─ c ─ d        an edit of c: c2 ─ d2; two answers to a: b, b2
const tree = built([
  ...[turn('a', null), turn('b', 'a', 'assistant'), turn('c', 'b'), turn('d', 'c', 'assistant')],
  ...[turn('c2', 'b'), turn('d2', 'c2', 'assistant'), turn('b2', 'a', 'assistant')],
])

describe('branches', () => {
  it('shows the newest', () => {
    expect(shown(tree)).toBe('a b2')
  })

  it('keeps on both sides what was chosen behind them', () => {
    const first = withBranch(tree, find(tree, 'b2'), -1)
    expect(shown(first)).toBe('a b c2 d2')
    const other = withBranch(first, find(first, 'c2'), -1)
    expect(shown(other)).toBe('a b c d')
    const back = withBranch(withBranch(other, find(other, 'b'), 1), find(other, 'b2'), -1)
    expect(shown(back)).toBe('a b c d')
  })

  it('has an end on either side', () => {
    expect(withBranch(tree, find(tree, 'b2'), 1)).toBe(tree)
    expect(branchOf(tree, find(tree, 'b'))).toMatchObject({ at: 0, count: 2 })
  })

  it('has several first messages', () => {
    const edited = withTurn(tree, turn('a2', null))
    expect(shown(edited)).toBe('a2')
    expect(shown(withBranch(edited, find(edited, 'a2'), -1))).toBe('a b2')
  })

  it('finds the way to a turn that is not shown', () => {
    expect(upTo(tree, 'd').map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd'])
  })

  it('changes one turn and leaves the others as they are', () => {
    const changed = withChange(tree, 'b', (one) => ({ ...one, content: 'new' }))
    expect(find(changed, 'b').content).toBe('new')
    expect(find(changed, 'c')).toBe(find(tree, 'c'))
  })

  it('shows a thread of 5,000 turns at once', () => {
    const many = Array.from({ length: 5000 }, (_, i) => turn(String(i), i === 0 ? null : String(i - 1)))
    const started = performance.now()
    expect(thread({ ...empty, turns: many })).toHaveLength(5000)
    expect(performance.now() - started).toBeLessThan(500)
  })
})

describe('what is sent', () => {
  it('begins with the system prompt, and behind what was dropped', () => {
    const conversation = { ...withBranch(tree, find(tree, 'b2'), -1), system: 'Be brief.', sentFrom: 'c2' }
    expect(messagesOf(conversation, thread(conversation))).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'text c2' },
      { role: 'assistant', content: 'text d2' },
    ])
  })

  it('is everything where the first turn that is sent is on another branch', () => {
    expect(messagesOf({ ...tree, sentFrom: 'c2' }, thread(tree))).toHaveLength(2)
  })
})

describe('imported conversations', () => {
  const answer = { model: 'm' }
  const whole = {
    ...tree,
    turns: tree.turns.map((one) => (one.role === 'assistant' ? { ...one, answer } : one)),
  }
  it('are trees', () => {
    expect(isConversation(JSON.parse(JSON.stringify(whole)))).toBe(true)
  })
  it.each([
    ['a circle', { ...whole, turns: [{ ...turn('a', 'b') }, { ...turn('b', 'a') }] }],
    ['a parent that there is not', { ...whole, turns: [turn('a', 'x')] }],
    ['another role', { ...whole, turns: [{ ...turn('a', null), role: 'root' }] }],
    ['no text', { ...whole, turns: [{ ...turn('a', null), content: 3 }] }],
    ['an answer of nobody', { ...whole, turns: [turn('a', null, 'assistant')] }],
    ['another version', { ...whole, version: 2 }],
    ['nothing', null],
  ])('are refused with %s', (_, value) => {
    expect(isConversation(value)).toBe(false)
  })
})

describe('parameters', () => {
  it('give every branch another seed, and the first the one that was chosen', () => {
    expect([0, 1, 2].map((n) => seedOf({ ...defaults, seed: 42 }, n))).toEqual([42, 43, 44])
    expect(seedOf({ ...defaults, seed: null }, 0)).not.toBe(seedOf({ ...defaults, seed: null }, 0))
  })

  it('read stops with line ends', () => {
    expect(readStop('\\n\\nUser:')).toBe('\n\nUser:')
    for (const stop of ['\n\t\\n', 'a\\', '\\\n']) expect(readStop(writeStop(stop))).toBe(stop)
  })

  it('read functions', () => {
    expect(readTools(' ')).toEqual([])
    expect(readTools('{"name":"f"}')).toEqual([{ type: 'function', function: { name: 'f' } }])
    expect(() => readTools('[')).toThrow()
  })
})

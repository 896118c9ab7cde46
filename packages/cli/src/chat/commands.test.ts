import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { runCommand } from './commands.js'
import { Conversation } from './conversation.js'

const cwd = mkdtempSync(join(tmpdir(), 'ift-chat-'))
afterAll(() => {
  rmSync(cwd, { recursive: true })
})

function begun() {
  const conversation = new Conversation()
  const notes: string[] = []
  return { conversation, notes, open: { adapters: null }, cwd, note: (text: string) => void notes.push(text) }
}

test('a conversation is saved as a record, and nothing that is there is replaced', async () => {
  const state = begun()
  await runCommand('/save talk.jsonl', state)
  expect(state.notes.at(-1)).toBe('Nothing was said yet.')
  await runCommand('/system Be brief.', state)
  state.conversation.ask('Hello?')
  state.conversation.answered('Hi.')
  await runCommand('/save talk.jsonl', state)
  expect(JSON.parse(readFileSync(join(cwd, 'talk.jsonl'), 'utf8'))).toEqual({
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hello?' },
      { role: 'assistant', content: 'Hi.' },
    ],
  })
  writeFileSync(join(cwd, 'mine.txt'), 'mine')
  expect(await runCommand('/save mine.txt', state)).toBe('stay')
  expect(readFileSync(join(cwd, 'mine.txt'), 'utf8')).toBe('mine')
  expect(state.notes.at(-1)).toContain('there already')
})

test('an answer is given again to the same question', async () => {
  const state = begun()
  expect(await runCommand('/retry', state)).toBe('stay')
  state.conversation.ask('Hello?')
  state.conversation.answered('Hi.')
  expect(await runCommand('/retry', state)).toBe('answer')
  expect(state.conversation.messages).toEqual([{ role: 'user', content: 'Hello?' }])
})

test('/clear forgets what was said and keeps the system text; /exit ends; a typing error is told', async () => {
  const state = begun()
  await runCommand('/system Be brief.', state)
  state.conversation.ask('Hello?')
  await runCommand('/clear', state)
  expect(state.conversation.messages).toEqual([{ role: 'system', content: 'Be brief.' }])
  expect(await runCommand('/exit', state)).toBe('exit')
  await runCommand('/hlep', state)
  expect(state.notes.at(-1)).toContain('Did you mean /help?')
})

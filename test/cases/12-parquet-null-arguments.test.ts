import { writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { caseFolder } from './ift.fixture.js'

const folder = caseFolder('12-parquet-null-arguments')
afterAll(() => {
  folder.remove()
})

/** The samples of a file as they are read, in order. */
function shown(file: string, count: number): string {
  const model = ['--weights', folder.path('model'), '--initialize', '--train.shuffle', 'false']
  return folder.output('inspect', ...model, '--data', file, '--maxLength', '2000', '--count', String(count))
}

test('a call is learned with the arguments that it has', () => {
  const text = shown('calls.parquet', 2)
  expect(text).toContain('{"city": "Oslo"}')
  expect(text).toContain('{"city": "Rome", "unit": "F"}')
})

function converted(file: string): { messages: Record<string, unknown>[]; tools?: unknown }[] {
  folder.output('data', 'convert', file, '--to', 'messages', '-o', 'out.jsonl')
  return folder.lines('out.jsonl') as { messages: Record<string, unknown>[] }[]
}
const argumentsOf = ({ messages }: { messages: Record<string, unknown>[] }) =>
  (messages[1]!['tool_calls'] as { function: { arguments: unknown } }[])[0]!.function.arguments

test('structures in structures, lists with nulls, and columns that are null', () => {
  const rows = converted('nested.parquet')
  expect(rows.map(argumentsOf)).toEqual([
    { city: 'Oslo' },
    { city: 'Rome', unit: 'F', place: { lat: 1.5 } },
    { cities: ['Rome', null], place: {} },
  ])
  expect(rows.map(({ tools }) => tools)).toEqual([undefined, [{ name: 'weather' }], undefined])
})

test('a null that a JSON file states is kept', () => {
  const call = { type: 'function', function: { name: 'weather', arguments: { city: 'Oslo', unit: null } } }
  const turns = [
    { role: 'user', content: 'Weather?' },
    { role: 'assistant', content: '', tool_calls: [call] },
  ]
  writeFileSync(folder.path('stated.jsonl'), `${JSON.stringify({ messages: turns })}\n`)
  expect(converted('stated.jsonl').map(argumentsOf)).toEqual([{ city: 'Oslo', unit: null }])
})

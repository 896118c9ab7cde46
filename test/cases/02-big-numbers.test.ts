import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel, root } from './ift.fixture.js'

const folder = caseFolder('02-big-numbers')
afterAll(() => {
  folder.remove()
})

/** The text that a file's records become in another form. */
function converted(file: string, to = 'alpaca'): string {
  folder.output('data', 'convert', file, '--to', to, '-o', `${to}.out.jsonl`)
  return folder.read(`${to}.out.jsonl`)
}
const outputs = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { output: string }).output)

test('answers that are numbers have the digits of the file', () => {
  expect(outputs(converted('sums.jsonl'))).toEqual([
    '18446744073709551616',
    '9007199254740993',
    '3.0',
    '0.0000001',
  ])
})

test('these digits are what is learned', () => {
  const flags = ['--weights', quickstartModel, '--template', 'alpaca', '--train.shuffle', 'false']
  const shown = folder.output('inspect', ...flags, '--data', 'sums.jsonl', '--count', '4', '--json')
  const learned = shown
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { text: string; trained: boolean; special: boolean }[])
    .map((tokens) => tokens.filter((token) => token.trained && !token.special))
    .map((tokens) =>
      tokens
        .map(({ text }) => text)
        .join('')
        .trim(),
    )
  expect(learned).toEqual(['18446744073709551616', '9007199254740993', '3.0', '0.0000001'])
})

test.each([
  '-9007199254740993',
  '1e3',
  '1E-7',
  '-0',
  '100.10',
  '0.1000000000000000055',
  '1e400',
  '17',
  '0.5',
])('an answer %s', (number) => {
  writeFileSync(folder.path('one.json'), `[{"instruction":"a","output":${number}}]\n`)
  expect(outputs(converted('one.json'))).toEqual([number])
})

test('in the arguments of calls and in tools, written as JSON again', () => {
  const call = '{"type":"function","function":{"name":"f","arguments":{"id":18446744073709551616,"x":[1.0]}}}'
  const tools = '[{"name":"f","default":1e3}]'
  writeFileSync(
    folder.path('calls.jsonl'),
    `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"","tool_calls":[${call}]}],"tools":${tools}}\n`,
  )
  const text = converted('calls.jsonl', 'messages')
  expect(text).toContain(call)
  expect(text).toContain(`"tools":${tools}`)
})

test('in the arguments of calls as a chat template writes them', () => {
  const model = join(root, 'fixtures/cases/12-parquet-null-arguments/model')
  const values = '{"id":18446744073709551616,"x":[1.0,-0.50],"n":7}'
  writeFileSync(
    folder.path('called.jsonl'),
    `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"","tool_calls":[{"type":"function","function":{"name":"f","arguments":${values}}}]}]}\n`,
  )
  const shown = folder.output('inspect', '--weights', model, '--initialize', '--data', 'called.jsonl')
  expect(shown).toContain('{"id": 18446744073709551616, "x": [1.0, -0.50], "n": 7}')
})

test('64-bit integers and decimals of Parquet', () => {
  expect(outputs(converted('numbers.parquet'))).toEqual(['9007199254740993', '-9223372036854775808', '7'])
  const flags = ['--weights', quickstartModel, '--template', 'plain', '--generate.maxNewTokens', '1']
  folder.output('predict', ...flags, '--input', 'numbers.parquet', '-o', 'answers.jsonl')
  const [first, second, third] = folder.read('answers.jsonl').split('\n')
  expect(first).toContain('"unsigned":18446744073709551615,"decimal":12345678901234567.80,"small":1.50')
  expect(first).toContain('"nested":{"n":9007199254740993},"time":"2024-05-06T07:08:09.123456Z"')
  expect(second).toContain('"output":-9223372036854775808,"unsigned":1,"decimal":-0.05,"small":-99.99')
  expect(third).toContain('"small":0.00')
})

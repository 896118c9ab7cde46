// Several adapters from the command line.
import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel } from '../cases/ift.fixture.js'

const folder = caseFolder('several-adapters')
afterAll(() => {
  folder.remove()
})

// In bf16 sums that are rounded at another place decide between tokens that are nearly alike.
const tokens = ['--generate.maxNewTokens', '8', '--dtype', 'f32']
const both = ['--adapter', 'zh=zh/adapter', '--adapter', 'cot=./cot/adapter']
const questions = ['Where is the cat?', 'Name a colour.', 'Count to three.']

beforeAll(() => {
  for (const [name, rank, output] of [
    ['zh', '2', 'No.'],
    ['cot', '4', 'Think of it, step by step.'],
  ] as const) {
    const lines = questions.map((instruction) => `${JSON.stringify({ instruction, output })}\n`)
    writeFileSync(folder.path(`${name}.jsonl`), lines.join(''))
    const run = [
      'train',
      '--weights',
      quickstartModel,
      '--template',
      'alpaca',
      '--device',
      'cpu',
      '--output',
      name,
    ]
    const method = ['--peft.r', rank, '--peft.targetModules', 'all-linear', '--peft.dropout', '0']
    const steps = ['--train.learningRate', '0.02', '--train.maxSteps', '20', '--train.epochs', '20']
    folder.output(...run, '--data', `${name}.jsonl`, ...method, ...steps)
  }
}, 120_000)

function predict(records: readonly object[], ...flags: string[]): string[] {
  writeFileSync(folder.path('in.jsonl'), records.map((record) => `${JSON.stringify(record)}\n`).join(''))
  folder.output('predict', ...flags, ...tokens, '--overwrite', '--input', 'in.jsonl', '-o', 'out.jsonl')
  return (folder.lines('out.jsonl') as { generate: string }[]).map(({ generate }) => generate)
}

test('records of one file are answered by the adapters that they name', () => {
  const records = questions.map((instruction) => ({ instruction }))
  const zh = predict(records, '--adapter', 'zh/adapter')
  const cot = predict(records, '--adapter', 'cot/adapter')
  const base = predict(records, '--weights', quickstartModel, '--template', 'alpaca')
  expect(new Set([zh, cot, base].map((answers) => answers.join('|'))).size).toBe(3)
  const named = [{ adapter: 'cot' }, {}, { adapter: 'base' }].map((more, i) => ({ ...records[i], ...more }))
  expect(predict(named, ...both)).toEqual([cot[0], zh[1], base[2]])
  expect(predict(named, ...both, '--use', 'cot')).toEqual([cot[0], cot[1], base[2]])
  const unknown = folder.ift(['predict', ...both, '--input', 'in.jsonl', '-o', 'x.jsonl', '--use', 'ctt'])
  expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('There is no adapter "ctt"')])
}, 120_000)

test('a chat names the positions that virtual tokens of the adapter in use take', () => {
  const soft = ['--peft.method', 'prompt-tuning', '--peft.virtualTokens', '3', '--train.maxSteps', '1']
  const model = ['--weights', quickstartModel, '--template', 'alpaca', '--device', 'cpu']
  folder.output('train', ...model, ...soft, '--data', 'zh.jsonl', '--output', 'soft')
  const limitOf = (...flags: string[]) => {
    const few = ['--generate.maxNewTokens', '2', '--generate.minNewTokens', '2', '--dtype', 'f32']
    const { code, stderr } = folder.ift(['chat', ...flags, ...few], { input: `${questions[0]!}\n/exit\n` })
    expect(code, stderr).toBe(0)
    return /ended at a limit: .*/.exec(stderr)?.[0]
  }
  const limit = 'ended at a limit: 2 new tokens (--generate.maxNewTokens), or the 512 positions of the model'
  const with3 = `${limit}, 3 of them for virtual tokens.`
  const several = ['--adapter', 'zh=zh/adapter', '--adapter', 'soft=soft/adapter']
  expect(limitOf('--adapter', 'soft/adapter')).toBe(with3)
  // The other one has none, and all positions.
  expect(limitOf(...several)).toBe(`${limit}.`)
  expect(limitOf(...several, '--use', 'soft')).toBe(with3)
  expect(limitOf(...both)).toBe(`${limit}.`)
}, 120_000)

test('generate and chat answer with the adapter that is named', () => {
  const alone = folder.output('generate', questions[0]!, '--adapter', 'cot/adapter', ...tokens)
  expect(folder.output('generate', questions[0]!, ...both, '--use', 'cot', ...tokens)).toBe(alone)
  expect(folder.output('generate', questions[0]!, ...both, ...tokens)).not.toBe(alone)
  const said = folder.ift(['chat', ...both, ...tokens], {
    input: `/adapter cot\n${questions[0]!}\n/adapter\n/exit\n`,
  })
  expect(said.code).toBe(0)
  expect(said.stderr).toContain('in use: cot; there are: zh, cot, base')
}, 120_000)

test('adapters are added up into an adapter or into the model', () => {
  const mix = ['--mix', 'zh=0.5,cot=0.25']
  folder.output('merge', 'sum', ...both, ...mix, '--as', 'adapter')
  folder.output('merge', 'merged', ...both, ...mix, '--dtype', 'f32')
  const sum = folder.output('generate', questions[1]!, '--adapter', 'sum', ...tokens)
  expect(folder.output('generate', questions[1]!, '--weights', 'merged', ...tokens)).toBe(sum)
  expect(folder.ift(['merge', 'x', ...both]).stderr).toContain('--mix')
  expect(folder.ift(['merge', 'x', ...both, '--mix', 'zh=a']).stderr).toContain(
    'expected a name and a number',
  )
  expect(folder.ift(['train', ...both, '--data', 'zh.jsonl']).stderr).toContain('goes on from one adapter')
}, 120_000)

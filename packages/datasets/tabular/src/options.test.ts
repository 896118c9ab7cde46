import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { IftError } from '@ift/core'
import { datasetsOf } from '@ift/core/testing'
import { expect, test } from 'vitest'
import { plugin } from './index.js'

interface Asked {
  readonly in?: 'raw' | 'splits'
  readonly split?: string
  readonly options?: Readonly<Record<string, unknown>>
}

async function load(name: string, { in: folder = 'raw', ...asked }: Asked) {
  const path = fileURLToPath(new URL(`../fixtures/${folder}`, import.meta.url))
  const file = (wanted: string) =>
    existsSync(join(path, wanted.split('!/')[0]!))
      ? Promise.resolve(join(path, wanted))
      : Promise.reject(new IftError('IFT_SOURCE_NOT_FOUND', `${wanted}: no such file.`))
  const made: { instruction: string; input: string; output: string; meta?: object }[] = []
  for await (const example of datasetsOf(plugin)
    .find((one) => one.name === name)!
    .load({ rootDir: path, seed: 1, file, ...asked }))
    made.push(example as (typeof made)[number])
  return made
}

test('a test split whose file is called otherwise', async () => {
  const [first, ...others] = await load('wtq', { in: 'splits', split: 'test' })
  expect(others).toEqual([])
  expect(first!.output).toBe('Italy')
})

test('TabFact: the lemmatised statements of a split where the collected ones are absent', async () => {
  const made = await load('tabfact', { in: 'splits', split: 'val', options: { verdict: 'truth' } })
  expect(made.map(({ output }) => output)).toEqual(
    Array.from({ length: 10 }, (_, i) => (i < 5 ? 'True' : 'False')),
  )
  expect(made[1]!.input).toContain('Statement:\ngoal 2 be the first of 3 game with a score of 1 - 0')
})

test('TabMCQ: its archive, packed', async () => {
  const [only] = await load('tabmcq', { in: 'splits' })
  expect(only!.input).toContain('| heat | ice |\n| wind | air |')
})

test('limits leave out rows from the end, but not those that matter', async () => {
  const [, table] = await load('fetaqa', { options: { rows: 1 } })
  expect(table!.input).toContain(
    '| --- | --- | --- | --- |\n| 2009 | The League | Tiffany | Episode: "The Draft" |\nTable',
  )
  expect(table!.meta).toEqual({ omitted: '11' })
  const made = await load('wtq', { options: { characters: 200 } })
  for (const { input } of made)
    expect(input.slice(7, input.indexOf('\nQuestion')).length).toBeLessThanOrEqual(200)
})

test('HTML, with headers of several levels', async () => {
  const made = await load('ait-qa', { options: { format: 'html' } })
  expect(made.at(-1)!.instruction).toBe(
    'Please read the following table in HTML format and then answer the question according to the table.',
  )
  expect(made.at(-1)!.input).toContain(
    '<tr><th></th><th></th><th>2016</th><th>2017</th><th>Notes</th></tr>\n<tr><td>Fuel</td>',
  )
})

test('TabMWP: answers alone', async () => {
  const made = await load('tabmwp', { options: { solution: false } })
  expect(made.map(({ output }) => output)).toEqual(['nonlinear', '10 pounds', '$3', '2', '1/12', '2'])
})

test('an option that no set has is refused', async () => {
  await expect(load('wtq', { options: { columns: 3 } })).rejects.toThrow('columns')
})

import { afterAll, expect, test } from 'vitest'
import { caseFolder } from './ift.fixture.js'

const folder = caseFolder('15-modules-to-save-suffix')
afterAll(() => {
  folder.remove()
})

const json = (name: string) => JSON.parse(folder.read(name)) as Record<string, number[]>
const siblings = json('siblings/expected.json')

test.each([
  ['adapter', json('expected.json')['adapter']!] as const,
  ...Object.entries(siblings).map(([name, wanted]) => [`siblings/${name}`, wanted] as const),
])('%s, saved by PEFT, scores as transformers and PEFT score', (adapter, wanted) => {
  const args = ['--weights', 'base', '--dtype', 'f32', '--adapter', adapter, '--input', 'ids.jsonl']
  folder.output('score', ...args, '--output', 's.jsonl', '--overwrite')
  const [row] = folder.lines('s.jsonl') as { logprobs: number[] }[]
  const found = row!.logprobs.slice(1)
  expect(found).toHaveLength(wanted.length)
  for (const [i, value] of found.entries()) expect(Math.abs(value - wanted[i]!)).toBeLessThan(5e-5)
})

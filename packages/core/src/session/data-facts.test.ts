import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { adapterCard } from './adapter-card.js'
import { factNotes, type DataFacts } from './data-facts.js'

const alpaca: DataFacts = {
  name: 'alpaca',
  license: 'CC-BY-NC-4.0',
  terms: { commercial: false, shareAlike: false, others: ['OpenAI'] },
  contains: [],
  evaluation: [],
  warnings: [],
}
const dolly: DataFacts = { name: 'dolly', license: 'CC-BY-SA-3.0', terms: { shareAlike: true, others: [] } }
const mine: DataFacts = { name: 'mine', license: 'none stated' }

test('licences with what they restrict come first', () => {
  expect(factNotes([])).toEqual([])
  expect(factNotes([alpaca, dolly, mine])).toEqual([
    'Licences of the data: alpaca CC-BY-NC-4.0 (not for commercial use; terms of OpenAI), dolly CC-BY-SA-3.0 (share alike), mine none stated.',
  ])
})

test('sets within sets, data that others evaluate on, and warnings are named', () => {
  const firefly: DataFacts = {
    ...mine,
    name: 'firefly',
    contains: ['belle:part', 'cot'],
    evaluation: ['C-Eval', 'MMLU'],
    warnings: ['It is large.'],
  }
  expect(factNotes([firefly, { ...mine, name: 'belle' }]).slice(1)).toEqual([
    'firefly contains belle:part, cot; of these belle:part is in the run as well (--dedup exact).',
    'firefly holds data that others evaluate on: C-Eval, MMLU (decontaminate takes it out).',
    'firefly: It is large.',
  ])
  expect(factNotes([firefly])[1]).toBe('firefly contains belle:part, cot.')
})

test('the card of an adapter has fields of the hub, licences, and no path of the machine', async () => {
  const rootDir = mkdtempSync(join(tmpdir(), 'ift-card-'))
  mkdirSync(join(rootDir, 'models/llama'), { recursive: true })
  const parts = {
    ...{ format: 'peft', family: 'llama', template: 'alpaca', method: 'lora', rootDir },
    datasets: ['alpaca', '/home/somebody/private/my|rows.jsonl', 'org/rows'],
    facts: [alpaca],
  }
  const card = await adapterCard({ ...parts, base: 'org/model-7b@main' })
  expect(card).toMatch(
    /^---\nlibrary_name: "peft"\nbase_model: "org\/model-7b"\ntags: \["lora","ift"\]\n---\n/,
  )
  expect(card).toContain('| alpaca | CC-BY-NC-4.0 | not for commercial use; terms of OpenAI |')
  expect(card).toContain('| my\\|rows.jsonl |  |  |')
  expect(card).toContain('| org/rows |  |  |')
  // A folder may be called as ids are.
  for (const base of ['/home/somebody/llama', 'models/llama', './models/llama']) {
    const local = await adapterCard({ ...parts, base })
    expect(local).not.toMatch(/somebody|models|base_model/)
    expect(local).toContain('# llama · lora')
  }
  expect(await adapterCard({ ...parts, base: undefined, format: 'adapterhub' })).toMatch(/^---\ntags: /)
  rmSync(rootDir, { recursive: true })
})

import { writeFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { openSafetensors, readStored } from '@ift/core'
import { caseFolder } from './ift.fixture.js'

const folder = caseFolder('14-tied-embedding-adapter')
afterAll(() => {
  folder.remove()
})

const json = (name: string) => JSON.parse(folder.read(name)) as Record<string, unknown>
const expected = { ...json('siblings/expected.json'), ...json('expected.json') } as Record<string, number[]>

function scored(...args: string[]): number[] {
  folder.output(
    'score',
    '--dtype',
    'f32',
    '--input',
    'ids.jsonl',
    '--output',
    's.jsonl',
    '--overwrite',
    ...args,
  )
  return (folder.lines('s.jsonl') as { logprobs: number[] }[])[0]!.logprobs.slice(1)
}

const near = (found: number[], wanted: number[]) => {
  expect(found).toHaveLength(wanted.length)
  for (const [i, value] of found.entries()) expect(Math.abs(value - wanted[i]!)).toBeLessThan(5e-5)
}

async function tables(path: string): Promise<Map<string, Buffer>> {
  const { tensors } = await openSafetensors(folder.path(path))
  const found = new Map<string, Buffer>()
  for (const [name, stored] of tensors)
    if (/embed_tokens|lm_head/.test(name)) found.set(name, Buffer.from(await readStored(stored)))
  return found
}

describe.each([
  ['adapter', 'adapter'],
  ['siblings/head', 'head'],
  ['siblings/kept', 'kept'],
  ['siblings/lora-head', 'lora-head'],
])('%s, saved by PEFT for a tied model', (adapter, name) => {
  test('scores as transformers and PEFT score', () => {
    near(scored('--weights', 'base', '--adapter', adapter), expected[name]!)
  })

  test('merged it is a model of its own with those scores', () => {
    folder.output('merge', '--weights', 'base', '--dtype', 'f32', '--adapter', adapter, `merged-${name}`)
    const { tie_word_embeddings: tied } = json(`merged-${name}/config.json`)
    expect(tied).toBe(name === 'kept')
    near(scored('--weights', `merged-${name}`), expected[name]!)
  })
})

describe('an adapter that ift trains on a tied model', () => {
  writeFileSync(
    folder.path('rows.jsonl'),
    ['bad', 'dab', 'cab', 'add'].map((output) => JSON.stringify({ instruction: 'a b c', output })).join('\n'),
  )
  const train = (name: string, ...more: string[]) => {
    folder.output(
      ...['train', '--weights', 'base', '--dtype', 'f32', '--data', 'rows.jsonl', '--template', 'plain'],
      ...['--peft.method', 'lora', '--peft.r', '2', '--train.maxSteps', '2', '--train.batchSize', '4'],
      ...[
        '--train.learningRate',
        '0.01',
        '--maxLength',
        '64',
        '--train.evalEvery',
        '0',
        '--output',
        name,
        ...more,
      ],
    )
    return `${name}/adapter/adapter_model.safetensors`
  }
  const embedding = 'base_model.model.model.embed_tokens.weight'
  const head = 'base_model.model.lm_head.weight'

  test('holds the module that is named, and the other one keeps the table of the base', async () => {
    const saved = await tables(train('embedding', '--peft.modulesToSave', '["embed_tokens"]'))
    expect([...saved.keys()]).toEqual([embedding])
    const adapted = scored('--weights', 'base', '--adapter', 'embedding/adapter')
    folder.output('merge', '--weights', 'base', '--dtype', 'f32', '--adapter', 'embedding/adapter', 'trained')
    near(scored('--weights', 'trained'), adapted)
    const merged = await tables('trained/model.safetensors')
    const base = await tables('base/model.safetensors')
    const table = base.get('model.embed_tokens.weight')!
    expect(merged.get('lm_head.weight')!.equals(table)).toBe(true)
    expect(merged.get('model.embed_tokens.weight')!.equals(saved.get(embedding)!)).toBe(true)
    expect(saved.get(embedding)!.equals(table)).toBe(false)
  })

  test('holds head and embedding apart when both are named', async () => {
    const saved = await tables(train('both', '--peft.modulesToSave', '["embed_tokens", "lm_head"]'))
    expect([...saved.keys()].sort()).toEqual([head, embedding])
    expect(saved.get(head)!.equals(saved.get(embedding)!)).toBe(false)
  })

  test('keeps them tied with ensureWeightTying, and says so', async () => {
    const path = train('tied', '--peft.modulesToSave', '["embed_tokens"]', '--peft.ensureWeightTying')
    const saved = await tables(path)
    expect(saved.get(head)!.equals(saved.get(embedding)!)).toBe(true)
    const config = json('tied/adapter/adapter_config.json')
    expect(config).toMatchObject({ ensure_weight_tying: true, modules_to_save: ['embed_tokens'] })
  })
})

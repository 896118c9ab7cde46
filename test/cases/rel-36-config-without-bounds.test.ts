import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ift } from '@ift/core'
import { afterAll, expect, test } from 'vitest'
import { tinyCase } from './ift.fixture.js'

// A config of any size and shape ends in an error of its own.

const folder = tinyCase('rel-36-config-without-bounds')
afterAll(() => {
  folder.remove()
})
writeFileSync(folder.path('d.jsonl'), '{"instruction": "a", "output": "b"}\n')

const refused = (name: string, content?: string) => {
  if (content !== undefined) writeFileSync(folder.path(name), content)
  const { code, stderr } = folder.ift(['plan', '-c', name], {
    env: { NODE_OPTIONS: '--max-old-space-size=500' },
    timeout: 20_000,
  })
  expect(stderr).toContain('IFT_CONFIG_INVALID')
  expect(stderr).not.toContain('a fault of ift')
  expect(code).toBe(2)
  return stderr
}
const module = (text: string) => `const weights = './m'\n${text}\n`

test.each(['laughs.yaml', 'epochs.json'])('%s', (name) => {
  refused(name)
})

test.each([
  [
    'deep.json',
    `{"weights":"./m","peft":{"method":"lora","targetModules":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`,
    'deep',
  ],
  ['self.yaml', 'weights: ./m\ndata: &d [*d]\n', 'holds itself'],
  ['merges.yaml', `a: &a {${'k,'.repeat(9)}}\nb: {<<: [${'*a,'.repeat(2000)}]}\n`, 'references to anchors'],
  ['large.json', `{"data":["${'x'.repeat(2 << 20)}"]}`, 'bytes'],
  ['many.mjs', module('export default { weights, data: Array(1e6).fill("d.jsonl") }'), '1000000 entries'],
  ['bigint.mjs', module('export default { weights, train: { epochs: 5n } }'), 'train.epochs'],
  [
    'circle.mjs',
    module('const data = {}; data.path = data; export default { weights, data }'),
    'holds itself',
  ],
  [
    'getter.mjs',
    module('export default { weights, get data() { throw new Error("no") } }'),
    'data: reading it throws: no',
  ],
  [
    'class.mjs',
    module('class A { constructor() { this.a = this } }; export default { weights, data: new A() }'),
    'data',
  ],
  [
    'json.mjs',
    module('class A { toJSON() { throw 1 } }; export default { weights, template: new A() }'),
    'template',
  ],
  ['plugins.json', '{"weights":"./m","plugins":[null]}', 'plugins'],
  ['threads.json', '{"weights":"./m","threads":1000000000}', 'threads'],
  ['timeout.json', '{"weights":"./m","ranks":{"timeout":1e300}}', 'ranks.timeout'],
  ['null.json', '{"weights":null,"data":[null],"train":null}', 'weights'],
  ['list.json', '[]', 'expected an object, found a list'],
])('%s', async (name, content, message) => {
  writeFileSync(folder.path(name), content)
  await expect(Ift.load({ cwd: folder.dir, configFile: name })).rejects.toMatchObject({
    code: 'IFT_CONFIG_INVALID',
    message: expect.stringContaining(message) as string,
  })
})

test('many faults are counted', () => {
  const stderr = refused('faults.json', JSON.stringify({ weights: './m', data: Array(5000).fill(5) }))
  expect(stderr.split('\n').length).toBeLessThan(60)
})

test('what the command line sets', () => {
  const { code, stderr } = folder.ift([
    ...['plan', '--weights', './m', '--data', 'd.jsonl'],
    ...[`--peft${'.a'.repeat(20_000)}`, '1'],
  ])
  expect(stderr).toContain('IFT_CONFIG_INVALID')
  expect(code).toBe(2)
})

test('a weight that makes more samples than there can be', () => {
  const data = [{ path: 'd.jsonl', weight: 1e300 }]
  writeFileSync(folder.path('weight.json'), JSON.stringify({ weights: './m', template: 'alpaca', data }))
  const { stderr } = folder.ift(['plan', '-c', 'weight.json'])
  expect(stderr).toContain('IFT_DATA_WEIGHT')
})

test.each([
  ['a timer', 'setTimeout(() => { throw new Error("behind") }, 1)'],
  ['a promise', 'Promise.reject(new Error("behind"))'],
])('%s of the config that fails has an error of ift', (_, late) => {
  writeFileSync(folder.path('late.mjs'), module(`${late}\nexport default { weights, data: 'd.jsonl' }`))
  const { code, stderr } = folder.ift(['plan', '-c', 'late.mjs'])
  expect(stderr).toContain('IFT_UNCAUGHT')
  expect(stderr).toContain('behind')
  expect(stderr).not.toContain('Node.js v')
  expect(code).toBe(1)
})

test('what is neither a file nor a folder', () => {
  mkdirSync(join(folder.dir, 'empty'))
  const { code, stderr } = folder.ift(['plan', '-c', '/dev/zero'], { timeout: 20_000 })
  expect(stderr).toContain('IFT_CONFIG_SYNTAX')
  expect(code).toBe(2)
})

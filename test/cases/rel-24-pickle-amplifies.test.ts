import { rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTorch } from '@ift/core'
import { tinyCase, type CaseFolder } from './ift.fixture.js'
import { torchZip } from './torch-zip.fixture.js'

// A pickle makes objects, and a short one can make many: copies, lists in lists, tensors that repeat one element.

let folder: CaseFolder
beforeAll(() => {
  folder = tinyCase('rel-24')
  rmSync(folder.path('m/model.safetensors'), { force: true })
})
afterAll(() => {
  folder.remove()
})

const bytes = (...parts: (string | Buffer)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)))
const length = (n: number) => {
  const four = Buffer.alloc(4)
  four.writeUInt32LE(n)
  return four
}
const join = (count: number, part: (i: number) => Buffer) =>
  Buffer.concat(Array.from({ length: count }, (_, i) => part(i)))
const text = (n: number) => bytes('X', length(n), 'a'.repeat(n), 'q\x01')

const pickles: Record<string, Buffer> = {
  'copies by _codecs.encode': bytes(
    'c_codecs\nencode\nq\x00',
    text(10_000_000),
    'h\x00h\x01\x85R'.repeat(600),
    '.',
  ),
  'sets of one long list': bytes(
    'c__builtin__\nset\nq\x00(',
    'K\x01'.repeat(1_000_000),
    'lq\x01',
    'h\x00h\x01\x85R'.repeat(2000),
    '.',
  ),
  'dicts of one list of pairs': bytes(
    'ccollections\nOrderedDict\nq\x00(',
    join(200_000, (i) => bytes('J', length(i), 'K\x01\x86')),
    'lq\x01',
    'h\x00h\x01\x85R'.repeat(2000),
    '.',
  ),
  'tuples in tuples': bytes('N', '\x85'.repeat(30_000_000), '.'),
  'empty sets': bytes('\x80\x04(', '\x8f0'.repeat(5_000_000), '.'),
}

test.each(Object.keys(pickles))('%s end soon, with little memory', (name) => {
  writeFileSync(folder.path('m/pytorch_model.bin'), torchZip({ 'data.pkl': pickles[name]! }))
  const { code, stderr } = folder.ift(['generate', 'hello', '--weights', './m', '--device', 'cpu'], {
    timeout: 30_000,
    // What was made of them took 6 GB.
    env: { NODE_OPTIONS: '--max-old-space-size=1500' },
  })
  expect(code, stderr.slice(0, 2000)).toBe(1)
  expect(stderr).toMatch(/IFT_FILE_(HOSTILE|CORRUPT|UNSUPPORTED)/)
})

test('a tensor that repeats one element is refused by its name', async () => {
  const path = folder.path('expanded.bin')
  writeFileSync(
    path,
    torchZip({
      'data.pkl': bytes(
        '\x80\x02}X',
        length(1),
        'w',
        'ctorch._utils\n_rebuild_tensor_v2\n((X',
        length(7),
        'storagectorch\nFloatStorage\nX',
        length(1),
        '0X',
        length(3),
        'cpuK\x01tQ',
        'K\x00J',
        length(1 << 30),
        '\x85K\x00\x85\x89NtRs.',
      ),
      'data/0': Buffer.alloc(4),
    }),
  )
  await expect(openTorch(path)).rejects.toMatchObject({
    code: 'IFT_FILE_UNSUPPORTED',
    message: expect.stringContaining('tensor w') as string,
  })
})

test('a dict that holds itself is looked through once', async () => {
  const path = folder.path('itself.bin')
  const names = ['state_dict', 'model_state_dict', 'model', 'module', 'weights', 'params']
  const itself = names.map((name) => bytes('X', length(name.length), name, 'h\x00s'))
  const many = join(200_000, (i) => bytes('J', length(i), 'Ns'))
  writeFileSync(path, torchZip({ 'data.pkl': bytes('\x80\x02}q\x00', many, ...itself, '.') }))
  const start = performance.now()
  await expect(openTorch(path)).rejects.toMatchObject({ code: 'IFT_FILE_UNSUPPORTED' })
  expect(performance.now() - start).toBeLessThan(5000)
})

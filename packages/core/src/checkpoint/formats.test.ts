import { access, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { referenceBackend } from '@ift/tensor/reference'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openGguf } from './gguf/index.js'
import { deviceType } from './numbers.js'
import { fromMemory } from './from-memory.fixture.js'
import { openSafetensors } from './safetensors.js'
import { writeSharded } from './sharded.js'
import { openCheckpoint } from './source.js'
import { readStored, readValues } from './stored.js'
import { openTorch } from './torch.js'

const fixture = (path: string) =>
  fileURLToPath(new URL(`../../../../fixtures/checkpoint/${path}`, import.meta.url))
let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ift-formats-'))
})
afterAll(() => rm(dir, { recursive: true }))

const refused = expect.objectContaining({
  name: 'IftError',
  code: expect.stringMatching(/^IFT_FILE_(CORRUPT|UNSUPPORTED|HOSTILE)$/) as string,
}) as Error

const random = (seed: number) => {
  let state = seed
  return (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

describe('openCheckpoint', () => {
  test.each(['single', 'sharded', 'bin', 'bin-legacy', 'bin-sharded'])(
    '%s holds the expected weights',
    async (form) => {
      const source = await openCheckpoint(fixture(form))
      const expected = await openSafetensors(fixture('expected.safetensors'))
      expect([...source.names()].sort()).toEqual([...expected.tensors.keys()].sort())
      for (const [name, tensor] of expected.tensors) {
        expect(source.info(name).shape).toEqual(tensor.shape)
        expect(await source.read(name), name).toEqual(await readValues(tensor))
      }
    },
  )

  test('bin-f16 equals f16', async () => {
    const [a, b] = [await openCheckpoint(fixture('bin-f16')), await openCheckpoint(fixture('f16'))]
    for (const name of a.names()) expect(await a.read(name)).toEqual(await b.read(name))
  })

  test.each([
    ['single', 'f32'],
    ['single', 'bf16'],
    ['single', 'f16'],
    ['bf16', 'bf16'],
    ['bf16', 'f32'],
    ['bin', 'f32'],
    ['bin-legacy', 'f16'],
    ['gguf/mixed.gguf', 'bf16'],
  ] as const)('%s loads as %s', async (form, dtype) => {
    const backend = referenceBackend()
    const source = await openCheckpoint(fixture(form))
    for (const name of source.names()) {
      const tensor = await source.load(name, backend, dtype)
      // In place exactly when the file has it in this type.
      expect(backend.memory().mapped > 0).toBe(deviceType(source.info(name).dtype) === dtype)
      const exact = await source.read(name)
      const found = await tensor.read()
      // bf16 keeps 8 significant bits, f16 11 above 2^-14.
      const relative = dtype === 'f32' ? 0 : dtype === 'bf16' ? 2 ** -8 : 2 ** -11
      for (const [i, value] of exact.entries())
        expect(Math.abs(found[i]! - value)).toBeLessThanOrEqual(
          Math.abs(value) * relative + (relative && 2 ** -24),
        )
      tensor.release()
    }
    expect(backend.memory().buffers).toBe(0)
  })

  test('says what a folder lacks', async () => {
    await expect(openCheckpoint(join(dir, 'absent'))).rejects.toMatchObject({ code: 'IFT_FILE_NOT_FOUND' })
    await expect(openCheckpoint(dir)).rejects.toThrow(/holds no weights/)
    const adapter = join(dir, 'adapter')
    await mkdir(adapter)
    await writeFile(join(adapter, 'adapter_model.safetensors'), '')
    await expect(openCheckpoint(adapter)).rejects.toMatchObject({
      hint: expect.stringMatching(/adapter/) as string,
    })
    await expect(openCheckpoint(fixture('single/config.json'))).rejects.toMatchObject({
      code: 'IFT_FILE_UNSUPPORTED',
    })
    const source = await openCheckpoint(fixture('single'))
    expect(() => source.info('model.norm.wait')).toThrow(
      expect.objectContaining({ hint: 'Did you mean model.norm.weight?' }),
    )
    expect(source.describe()).toMatch(/^model\.safetensors: 21 tensors, 5,200 parameters, F32$/)
  })
})

describe('sharded', () => {
  const index = async (name: string, weightMap: unknown) => {
    const folder = join(dir, name)
    await mkdir(folder)
    await copyFile(fixture('single/model.safetensors'), join(folder, 'part.safetensors'))
    await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }))
    return folder
  }

  test.each(['../part.safetensors', '/etc/passwd', 'a/../../b', 'C:\\x.safetensors', '..\\x.safetensors'])(
    'an index that points to %s is hostile',
    async (file) => {
      const folder = await index(`hostile-${file.replaceAll(/\W/g, '_')}`, { 'lm_head.weight': file })
      await expect(openCheckpoint(folder)).rejects.toMatchObject({ code: 'IFT_FILE_HOSTILE' })
    },
  )

  test('names a missing shard, a missing tensor and an index that is none', async () => {
    const missing = await index('missing', { 'lm_head.weight': 'gone.safetensors' })
    await expect(openCheckpoint(missing)).rejects.toThrow(/gone\.safetensors: no such file/)
    const wrong = await index('wrong', { 'lm_tail.weight': 'part.safetensors' })
    await expect(openCheckpoint(wrong)).rejects.toThrow(/has no tensor lm_tail\.weight/)
    for (const weightMap of [null, [], { a: 1 }])
      await expect(
        openCheckpoint(await index(`none-${JSON.stringify(weightMap)}`, weightMap)),
      ).rejects.toMatchObject({
        code: 'IFT_FILE_CORRUPT',
      })
  })

  test('what is written in shards reads back whole', async () => {
    const source = await openCheckpoint(fixture('single'))
    const tensors = await Promise.all(
      [...source.names()].map(async (name) => {
        const t = source.info(name)
        return fromMemory(name, 'F32', t.shape, await readStored(t))
      }),
    )
    const folder = join(dir, 'shards')
    const files = await writeSharded(folder, tensors, { maxShardBytes: 6000 })
    expect(files.at(-1)).toBe('model.safetensors.index.json')
    expect(files[0]).toMatch(/^model-00001-of-0000\d\.safetensors$/)
    const again = await openCheckpoint(folder)
    expect([...again.names()].sort()).toEqual([...source.names()].sort())
    for (const name of source.names()) expect(await again.read(name)).toEqual(await source.read(name))
    for (const file of files.slice(0, -1)) {
      const shard = await openSafetensors(join(folder, file))
      const bytes = [...shard.tensors.values()].reduce((n, t) => n + t.bytes, 0)
      expect(bytes <= 6000 || shard.tensors.size === 1).toBe(true)
    }
    const { metadata } = JSON.parse(await readFile(join(folder, 'model.safetensors.index.json'), 'utf8')) as {
      metadata: unknown
    }
    const reference = JSON.parse(await readFile(fixture('sharded/model.safetensors.index.json'), 'utf8')) as {
      metadata: { total_size: number }
    }
    expect(metadata).toMatchObject(reference.metadata)
    expect(await writeSharded(folder, tensors)).toEqual(['model.safetensors'])
  })
})

describe('PyTorch files', () => {
  test.each(['zip.bin', 'legacy.bin', 'nested.pt'])(
    '%s: views, shared storages and all types',
    async (file) => {
      const { tensors } = await openTorch(fixture(`layouts/${file}`))
      const expected = await openSafetensors(fixture('layouts/expected.safetensors'))
      expect([...tensors.keys()].sort()).toEqual([...expected.tensors.keys()].sort())
      for (const [name, want] of expected.tensors) {
        const found = tensors.get(name)!
        expect([found.dtype, found.shape]).toEqual([want.dtype, want.shape])
        expect(await readStored(found), name).toEqual(await readStored(want))
      }
    },
  )

  test.each([
    ['os-system.bin', /"(posix|nt|os)\.system"/],
    ['os-system-legacy.bin', /"(posix|nt|os)\.system"/],
    ['builtins-exec.bin', /"(builtins|__builtin__)\.exec"/],
    ['getattr.bin', /"(builtins|__builtin__)\.getattr"/],
    ['namespace.bin', /"argparse\.Namespace"/],
  ])('%s is refused by name and never run', async (file, name) => {
    await expect(openTorch(fixture(`refused/${file}`))).rejects.toMatchObject({
      code: 'IFT_FILE_HOSTILE',
      message: expect.stringMatching(name) as string,
    })
    await expect(access('ift-pickle-executed')).rejects.toThrow()
  })

  test.each(['truncated.bin', 'no-storages.bin'])('%s is refused', async (file) => {
    await expect(openTorch(fixture(`refused/${file}`))).rejects.toMatchObject({ code: 'IFT_FILE_CORRUPT' })
  })

  test.each(['bin/pytorch_model.bin', 'bin-legacy/pytorch_model.bin'])(
    '%s cut at any byte is refused',
    async (file) => {
      const whole = await readFile(fixture(file))
      const path = join(dir, 'cut.bin')
      const step = Math.ceil(whole.length / 80)
      for (let end = 0; end < whole.length; end += end < 40 ? 1 : step) {
        await writeFile(path, whole.subarray(0, end))
        await expect(openTorch(path), `${end} bytes`).rejects.toEqual(refused)
      }
    },
  )

  test.each(['layouts/zip.bin', 'layouts/legacy.bin'])(
    '%s with random bytes is read or refused',
    async (file) => {
      const whole = await readFile(fixture(file))
      const path = join(dir, 'fuzzed.bin')
      const next = random(3)
      for (let round = 0; round < 300; round++) {
        const changed = Buffer.from(whole)
        for (let i = 0; i <= next(3); i++) changed[next(whole.length)] = next(256)
        await writeFile(path, changed)
        try {
          const { tensors } = await openTorch(path)
          for (const { offset, bytes } of tensors.values())
            expect(offset + bytes).toBeLessThanOrEqual(whole.length)
        } catch (error) {
          expect(error).toEqual(refused)
        }
      }
    },
  )

  /** A legacy file whose object is the given pickle program. */
  const legacy = async (program: string) => {
    const whole = await readFile(fixture('bin-legacy/pytorch_model.bin'))
    // Magic number and version are the first two pickles; an empty dict stands for the system.
    const second = whole.indexOf('.', whole.indexOf('.') + 1) + 1
    const path = join(dir, 'program.bin')
    await writeFile(
      path,
      Buffer.concat([whole.subarray(0, second), Buffer.from('}.'), Buffer.from(program, 'latin1')]),
    )
    return path
  }

  test.each([
    ['a call through the memo', 'cos\nsystem\nq\x00h\x00X\x04\x00\x00\x00true\x85R.'],
    ['STACK_GLOBAL', '\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.'],
    ['INST', "(S'true'\nios\nsystem\n."],
    ['OBJ', '(ccollections\nOrderedDict\no.'],
    ['a call of what is no function', '}\x85)R.'],
    ['calling a storage type', 'ctorch\nFloatStorage\n)R.'],
    ['state for a list', ']}b.'],
    ['items of a tensor type', 'ctorch\nTensor\nNNs.'],
    ['an extension', '\x82\x01.'],
    ['a dotted name', 'ctorch._utils\n_rebuild_tensor_v2.__globals__\n.'],
  ])('%s is hostile', async (_, program) => {
    await expect(openTorch(await legacy(program))).rejects.toMatchObject({ code: 'IFT_FILE_HOSTILE' })
  })

  test.each([
    ['an empty stack', '0R.'],
    ['a missing mark', 'NNt.'],
    ['an unset memo', 'h\x05.'],
    ['a key without a value', '(Nd.'],
    ['a string beyond the end', 'X\xff\xff\xff\x7fabc'],
    ['no end', 'N'],
    ['no instruction', '\xff.'],
    ['a huge number', '\x8b\xff\xff\xff\x7f.'],
    ['protocol 9', '\x80\x09.'],
    ['a list as tensor', 'ctorch._utils\n_rebuild_tensor_v2\n)R.'],
  ])('%s is damage', async (_, program) => {
    await expect(openTorch(await legacy(program))).rejects.toMatchObject({ code: 'IFT_FILE_CORRUPT' })
  })

  test('a cycle and nested dicts do not hang', async () => {
    await expect(openTorch(await legacy('}q\x00X\x05\x00\x00\x00modelh\x00s.].'))).rejects.toMatchObject({
      code: 'IFT_FILE_UNSUPPORTED',
    })
  })
})

describe('GGUF', () => {
  test('types and values are those of the reference implementation', async () => {
    const file = await openGguf(fixture('gguf/mixed.gguf'))
    expect(file.version).toBe(3)
    expect(file.metadata.get('general.architecture')).toBe('llama')
    expect((file.metadata.get('tokenizer.ggml.tokens') as string[]).slice(0, 4)).toEqual([
      '<unk>',
      '<s>',
      '</s>',
      '▁3',
    ])
    const expected = await openSafetensors(fixture('gguf/stored.safetensors'))
    expect([...file.tensors.keys()].sort()).toEqual([...expected.tensors.keys()].sort())
    const types = new Set<string>()
    for (const [name, want] of expected.tensors) {
      const found = file.tensors.get(name)!
      types.add(found.dtype)
      expect(found.shape).toEqual(want.shape)
      expect(await readValues(found), name).toEqual(await readValues(want))
    }
    expect([...types].sort()).toEqual(['BF16', 'F16', 'F32', 'Q4_0', 'Q4_1', 'Q8_0'])
  })

  test('cut at any byte it is refused', async () => {
    const whole = await readFile(fixture('gguf/mixed.gguf'))
    const path = join(dir, 'cut.gguf')
    const { tensors } = await openGguf(fixture('gguf/mixed.gguf'))
    const end = Math.max(...[...tensors.values()].map((t) => t.offset + t.bytes))
    const step = Math.ceil(end / 80)
    for (let at = 0; at < end; at += at < 64 ? 1 : step) {
      await writeFile(path, whole.subarray(0, at))
      await expect(openGguf(path), `${at} bytes`).rejects.toEqual(refused)
    }
  })

  test('with random bytes in its header it is read or refused', async () => {
    const whole = await readFile(fixture('gguf/mixed.gguf'))
    const { tensors } = await openGguf(fixture('gguf/mixed.gguf'))
    const header = Math.min(...[...tensors.values()].map((t) => t.offset))
    const path = join(dir, 'fuzzed.gguf')
    const next = random(9)
    let refusals = 0
    for (let round = 0; round < 300; round++) {
      const changed = Buffer.from(whole)
      for (let i = 0; i <= next(4); i++) changed[next(header)] = next(256)
      await writeFile(path, changed)
      try {
        const file = await openGguf(path)
        for (const { offset, bytes } of file.tensors.values())
          expect(offset + bytes).toBeLessThanOrEqual(whole.length)
      } catch (error) {
        expect(error).toEqual(refused)
        refusals++
      }
    }
    expect(refusals).toBeGreaterThan(50)
  })
})

test('no test left a file in the working folder', async () => {
  expect(await readdir('.')).not.toContain('ift-pickle-executed')
})

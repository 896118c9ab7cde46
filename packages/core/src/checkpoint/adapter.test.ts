import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tensor, type Backend } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { AdapterFiles } from '../contract/peft.js'
import { openAdapter, writeAdapter } from './adapter.js'

const fixture = (path: string) =>
  fileURLToPath(new URL(`../../../../fixtures/peft-lora/${path}`, import.meta.url))
let dir: string
let backend: Backend
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ift-adapter-'))
})
afterAll(() => rm(dir, { recursive: true }))
beforeEach(() => {
  backend = referenceBackend()
})

/** An adapter file as a method would hand it over. */
async function adapterOf(path: string): Promise<AdapterFiles> {
  const source = await openAdapter(path)
  const tensors = new Map<string, ReturnType<typeof tensor>>()
  for (const name of source.names())
    tensors.set(name, tensor(backend, await source.read(name), source.shape(name)))
  return { config: source.config, tensors }
}

test("reads PEFT's files and writes the same bytes", async () => {
  const files = await adapterOf(fixture('all-linear'))
  expect(files.config['peft_type']).toBe('LORA')
  const target = join(dir, 'written')
  await writeAdapter(target, files, new Map([['template.json', '{}']]))
  expect((await readdir(target)).sort()).toEqual([
    'adapter_config.json',
    'adapter_model.safetensors',
    'hashes.json',
    'template.json',
  ])
  const name = 'adapter_model.safetensors'
  expect((await readFile(join(target, name))).equals(await readFile(join(fixture('all-linear'), name)))).toBe(
    true,
  )
  expect((await openAdapter(target)).config).toEqual(files.config)
  // Again, with other extras: the older ones are ours and go.
  await writeAdapter(target, files, (to) => writeFile(join(to, 'tokenizer.json'), '{}'))
  expect(await readdir(target)).toContain('tokenizer.json')
  expect(await readdir(target)).not.toContain('template.json')
})

test('keeps an older adapter when the new one does not read back as it was', async () => {
  const files = await adapterOf(fixture('lora'))
  const target = join(dir, 'kept')
  await writeAdapter(target, files)
  const before = await readFile(join(target, 'adapter_model.safetensors'))
  const spoil = async (to: string) => {
    const bytes = await readFile(join(to, 'adapter_model.safetensors'))
    bytes[bytes.length - 1]! ^= 1
    await writeFile(join(to, 'adapter_model.safetensors'), bytes)
  }
  await expect(writeAdapter(target, files, spoil)).rejects.toThrow(/reads back otherwise/)
  expect((await readFile(join(target, 'adapter_model.safetensors'))).equals(before)).toBe(true)
  await writeFile(join(target, 'thesis.txt'), 'mine')
  await expect(writeAdapter(target, files)).rejects.toMatchObject({ code: 'IFT_FOLDER_IN_USE' })
})

test('opens either file of the folder, and .bin', async () => {
  const folder = join(dir, 'bin')
  await mkdir(folder)
  await copyFile(join(fixture('lora'), 'adapter_config.json'), join(folder, 'adapter_config.json'))
  const weights = fileURLToPath(
    new URL('../../../../fixtures/checkpoint/bin/pytorch_model.bin', import.meta.url),
  )
  await copyFile(weights, join(folder, 'adapter_model.bin'))
  expect((await openAdapter(folder)).path).toBe(join(folder, 'adapter_model.bin'))
  const source = await openAdapter(join(fixture('lora'), 'adapter_config.json'))
  expect(source.path).toBe(join(fixture('lora'), 'adapter_model.safetensors'))
  const [name] = source.names()
  expect((await source.read(name!)).length).toBe(source.shape(name!).reduce((a, b) => a * b))
})

test('says what is missing', async () => {
  await expect(openAdapter(join(dir, 'nowhere'))).rejects.toMatchObject({ code: 'IFT_FILE_NOT_FOUND' })
  const folder = join(dir, 'half')
  await mkdir(folder)
  await expect(openAdapter(folder)).rejects.toMatchObject({ code: 'IFT_ADAPTER_NOT_FOUND' })
  await writeFile(join(folder, 'adapter_config.json'), '[1]')
  await copyFile(
    join(fixture('lora'), 'adapter_model.safetensors'),
    join(folder, 'adapter_model.safetensors'),
  )
  await expect(openAdapter(folder)).rejects.toThrow(/expected a JSON object/)
  await writeFile(join(folder, 'adapter_config.json'), '{')
  await expect(openAdapter(folder)).rejects.toThrow(/not valid JSON/)
  const source = await openAdapter(fixture('lora'))
  expect(() => source.shape('nothing')).toThrow(expect.objectContaining({ code: 'IFT_WEIGHTS_MISSING' }))
})

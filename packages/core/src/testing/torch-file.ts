import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { readStored, type StoredTensor } from '../checkpoint/stored.js'
import { claim } from './claim.js'

const storageTypes: Readonly<Record<string, string>> = {
  F32: 'FloatStorage',
  F16: 'HalfStorage',
  BF16: 'BFloat16Storage',
  I64: 'LongStorage',
  U8: 'ByteStorage',
  BOOL: 'BoolStorage',
}

const int = (value: number, bytes: 2 | 4) => {
  const buffer = Buffer.alloc(bytes)
  buffer.writeUIntLE(value, 0, bytes)
  return buffer
}
const text = (value: string) => {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from('X'), int(bytes.length, 4), bytes])
}
const number = (value: number) => Buffer.concat([Buffer.from('J'), int(value, 4)])
const global = (module: string, name: string) => Buffer.from(`c${module}\n${name}\n`)
const tuple = (...parts: readonly Buffer[]) => Buffer.concat([Buffer.from('('), ...parts, Buffer.from('t')])
/** Calls a global with a tuple. */
const call = (what: Buffer, ...args: readonly Buffer[]) =>
  Buffer.concat([what, tuple(...args), Buffer.from('R')])

/** Pickle of a state dict whose tensors lie in the storages 0, 1, … in order. */
function pickleOf(tensors: readonly (readonly [name: string, tensor: StoredTensor])[]): Buffer {
  const items = tensors.map(([name, { shape, dtype }], key) => {
    const type = storageTypes[dtype]
    claim(type !== undefined, `${name} is ${dtype}, which the kit does not write as PyTorch does.`)
    const elements = shape.reduce((a, b) => a * b, 1)
    const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1))
    const storage = Buffer.concat([
      tuple(text('storage'), global('torch', type), text(String(key)), text('cpu'), number(elements)),
      Buffer.from('Q'),
    ])
    const tensor = call(
      global('torch._utils', '_rebuild_tensor_v2'),
      storage,
      number(0),
      tuple(...shape.map(number)),
      tuple(...strides.map(number)),
      Buffer.from('\x89', 'latin1'),
      call(global('collections', 'OrderedDict')),
    )
    return Buffer.concat([text(name), tensor])
  })
  return Buffer.concat([Buffer.from('\x80\x02}(', 'latin1'), ...items, Buffer.from('u.')])
}

/** A zip archive of uncompressed entries (APPNOTE 6.3.9). */
function zipOf(entries: readonly (readonly [name: string, content: Uint8Array])[]): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const [name, content] of entries) {
    const bytes = Buffer.from(name)
    // Method, time, date, checksum, both sizes, length of the name, no extra field.
    const about = Buffer.concat([
      int(0, 2),
      int(0, 2),
      int(0x21, 2),
      int(crc32(content), 4),
      int(content.length, 4),
      int(content.length, 4),
      int(bytes.length, 2),
      int(0, 2),
    ])
    const version = Buffer.concat([int(20, 2), int(0, 2)])
    const local = Buffer.concat([int(0x04034b50, 4), version, about, bytes])
    // No comment, the first disk, no attributes.
    const rest = Buffer.concat([int(0, 2), int(0, 2), int(0, 2), int(0, 4), int(at, 4)])
    directory.push(Buffer.concat([int(0x02014b50, 4), int(20, 2), version, about, rest, bytes]))
    parts.push(local, Buffer.from(content))
    at += local.length + content.length
  }
  const whole = Buffer.concat(directory)
  const end = [int(0, 4), int(entries.length, 2), int(entries.length, 2), int(whole.length, 4), int(at, 4)]
  return Buffer.concat([...parts, whole, int(0x06054b50, 4), ...end, int(0, 2)])
}

/** Writes tensors as `torch.save` writes a state dict since PyTorch 1.6. */
async function writeTorch(
  path: string,
  tensors: readonly (readonly [string, StoredTensor])[],
): Promise<void> {
  const entries: [string, Uint8Array][] = [['archive/data.pkl', pickleOf(tensors)]]
  for (const [key, [, tensor]] of tensors.entries())
    entries.push([`archive/data/${key}`, await readStored(tensor)])
  await writeFile(path, zipOf([...entries, ['archive/version', Buffer.from('3\n')]]))
}

/** Writes tensors into a folder as `pytorch_model.bin`, or as several such files with their index. */
export async function writeTorchCheckpoint(
  dir: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  files = 1,
): Promise<void> {
  const all = [...tensors]
  if (files === 1) {
    await writeTorch(join(dir, 'pytorch_model.bin'), all)
    return
  }
  const weightMap: Record<string, string> = {}
  for (let i = 0; i < files; i++) {
    const part = all.filter((_, n) => n % files === i)
    const name = `pytorch_model-0000${i + 1}-of-0000${files}.bin`
    for (const [tensor] of part) weightMap[tensor] = name
    await writeTorch(join(dir, name), part)
  }
  const index = { metadata: {}, weight_map: weightMap }
  await writeFile(join(dir, 'pytorch_model.bin.index.json'), JSON.stringify(index))
}

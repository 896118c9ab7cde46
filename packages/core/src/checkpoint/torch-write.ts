import { crc32 } from 'node:zlib'
import { writeAll, writeFileAtomic } from '../files/atomic.js'
import { corrupt } from '../files/errors.js'
import { itemBytes } from './numbers.js'
import { sizeOf } from './stored.js'

/** A tensor to write. Its bytes are asked for when its turn comes, so that a model is never held twice. */
export interface TorchTensorToWrite {
  readonly name: string
  readonly dtype: 'F32' | 'F16' | 'BF16'
  readonly shape: readonly number[]
  /** The elements, row-major and little-endian, in pieces of any size. */
  bytes(): AsyncIterable<Uint8Array>
}

const storages = { F32: 'FloatStorage', F16: 'HalfStorage', BF16: 'BFloat16Storage' } as const

const int32 = (value: number) => Buffer.from(Int32Array.of(value).buffer)
const u16 = (value: number) => Buffer.from(Uint16Array.of(value).buffer)
const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer)
const u64 = (value: number) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer)

/** Opcodes of pickle's protocol 2. */
const op = {
  start: Buffer.of(0x80, 2),
  emptyDict: Buffer.from('}'),
  mark: Buffer.from('('),
  setItems: Buffer.from('u'),
  tuple: Buffer.from('t'),
  emptyTuple: Buffer.from(')'),
  reduce: Buffer.from('R'),
  persistent: Buffer.from('Q'),
  false: Buffer.of(0x89),
  stop: Buffer.from('.'),
} as const
const global = (module: string, name: string) => Buffer.from(`c${module}\n${name}\n`)
const text = (value: string) => {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from('X'), u32(bytes.length), bytes])
}
/** Beyond 31 bits as a number of 8 bytes. */
const integer = (value: number) =>
  value < 2 ** 31
    ? Buffer.concat([Buffer.from('J'), int32(value)])
    : Buffer.concat([Buffer.of(0x8a, 8), u64(value)])
const tuple = (...items: readonly Buffer[]) => Buffer.concat([op.mark, ...items, op.tuple])

/** A dictionary of tensors by name, each over a storage of its own. */
function pickled(tensors: readonly TorchTensorToWrite[]): Buffer {
  const items = tensors.flatMap(({ name, dtype, shape }, key) => {
    const strides = shape.map((_, i) => sizeOf(shape.slice(i + 1)))
    const storage = tuple(
      text('storage'),
      global('torch', storages[dtype]),
      text(String(key)),
      text('cpu'),
      integer(sizeOf(shape)),
    )
    const tensor = tuple(
      Buffer.concat([storage, op.persistent]),
      integer(0),
      tuple(...shape.map(integer)),
      tuple(...strides.map(integer)),
      op.false,
      Buffer.concat([global('collections', 'OrderedDict'), op.emptyTuple, op.reduce]),
    )
    return [text(name), global('torch._utils', '_rebuild_tensor_v2'), tensor, op.reduce]
  })
  return Buffer.concat([op.start, op.emptyDict, op.mark, ...items, op.setItems, op.stop])
}

interface Entry {
  readonly name: string
  readonly bytes: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

/** Where tensors begin, as PyTorch's own writer has it: they can be mapped. */
const alignment = 64
const local = 30
const most32 = 0xffffffff

/**
 * Writes tensors as `torch.save` does, a stored zip with a pickle of their names: `torch.load(path, weights_only=True)` opens it. The old
 * file stays until the new one is whole.
 */
export async function writeTorch(path: string, tensors: readonly TorchTensorToWrite[]): Promise<void> {
  const entries: readonly Entry[] = [
    { name: 'data.pkl', bytes: () => [pickled(tensors)] },
    { name: 'byteorder', bytes: () => [Buffer.from('little')] },
    ...tensors.map((tensor, key) => ({ name: `data/${key}`, bytes: () => checked(path, tensor) })),
    { name: 'version', bytes: () => [Buffer.from('3\n')] },
  ]
  await writeFileAtomic(path, async (file) => {
    const central: Buffer[] = []
    let at = 0
    for (const { name, bytes } of entries) {
      const full = Buffer.from(`archive/${name}`)
      const free = (alignment - ((at + local + full.length + 4) % alignment)) % alignment
      const padding = Buffer.concat([Buffer.from('FB'), u16(free), Buffer.alloc(free)])
      const start = at
      const head = (crc: number, size: number) =>
        Buffer.concat([
          u32(0x04034b50),
          ...[size > most32 ? 45 : 20, 0, 0, 0, 0].map(u16),
          ...[crc, Math.min(size, most32), Math.min(size, most32)].map(u32),
          ...[full.length, padding.length].map(u16),
          ...[full, padding],
        ])
      await writeAll(file, head(0, 0))
      at += local + full.length + padding.length
      let [crc, size] = [0, 0]
      for await (const piece of bytes()) {
        crc = crc32(piece, crc)
        size += piece.length
        await writeAll(file, piece)
      }
      at += size
      // Sum and size stand before what they are of.
      await file.write(head(crc, size), 0, local, start)
      central.push(centralEntry(full, { crc, size, start }))
    }
    const directory = Buffer.concat(central)
    await writeAll(file, directory)
    await writeAll(file, ending(entries.length, directory.length, at))
  })
}

async function* checked(path: string, tensor: TorchTensorToWrite) {
  const { name, dtype, shape } = tensor
  const expected = sizeOf(shape) * itemBytes[dtype]
  let written = 0
  for await (const piece of tensor.bytes()) {
    written += piece.length
    yield piece
  }
  if (written !== expected)
    throw corrupt(path, `tensor ${name}: expected ${expected} bytes to write, found ${written}`)
}

/** An entry of the directory; numbers beyond 32 bits stand in an extra field. */
function centralEntry(
  name: Buffer,
  { crc, size, start }: { readonly crc: number; readonly size: number; readonly start: number },
): Buffer {
  const wide = [...(size >= most32 ? [size, size] : []), ...(start >= most32 ? [start] : [])].map(u64)
  const extra = wide.length === 0 ? Buffer.alloc(0) : Buffer.concat([u16(1), u16(8 * wide.length), ...wide])
  return Buffer.concat([
    u32(0x02014b50),
    ...[45, wide.length === 0 ? 20 : 45, 0, 0, 0, 0].map(u16),
    ...[crc, Math.min(size, most32), Math.min(size, most32)].map(u32),
    ...[name.length, extra.length, 0, 0, 0].map(u16),
    ...[u32(0), u32(Math.min(start, most32)), name, extra],
  ])
}

/** The end of the archive, with its 64-bit form, which readers look for where numbers are large. */
function ending(count: number, size: number, start: number): Buffer {
  const wide = start + size >= most32 || count >= 0xffff
  const end64 = Buffer.concat([
    u32(0x06064b50),
    ...[u64(44), u16(45), u16(45), u32(0), u32(0)],
    ...[count, count, size, start].map(u64),
    ...[u32(0x07064b50), u32(0), u64(start + size), u32(1)],
  ])
  const [few, offset] = wide ? [0xffff, most32] : [count, start]
  return Buffer.concat([
    ...(wide ? [end64] : []),
    u32(0x06054b50),
    ...[0, 0, few, few].map(u16),
    ...[u32(wide ? most32 : size), u32(offset), u16(0)],
  ])
}

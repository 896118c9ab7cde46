import { mostPickleBytes, mostRepeated, mostTensorsInFile } from '../files/bounds.js'
import { corrupt, unsupported } from '../files/errors.js'
import { itemBytes, type PlainDType } from './numbers.js'
import { Global, Made, Persistent, unpickle, type AllowedGlobals, type PickleValue } from './pickle.js'
import { fileSize, readBytes, refusePointer, withFile } from '../files/read-bytes.js'
import { isRowMajor, sizeOf, type StoredTensor } from './stored.js'
import { openZip } from './zip.js'

export interface TorchFile {
  readonly path: string
  readonly tensors: ReadonlyMap<string, StoredTensor>
}

const storageTypes: Readonly<Record<string, PlainDType>> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
  ComplexFloatStorage: 'C64',
}

/** A tensor as the pickle describes it: a view of a storage. */
class TensorView {
  constructor(
    readonly storage: Persistent,
    readonly start: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

/** No program makes tensors of more. */
const mostDimensions = 16

const isCount = (value: PickleValue | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
const counts = (value: PickleValue | undefined): number[] | null =>
  Array.isArray(value) && value.every(isCount) ? value : null

/** The names that files of tensors use, and what calling them gives. */
function allowedIn(path: string): AllowedGlobals {
  const tensor = ([storage, start, size, stride]: PickleValue[]): PickleValue => {
    // Before anybody walks through them: one list may be the shape of many tensors.
    if ([size, stride].some((list) => Array.isArray(list) && list.length > mostDimensions))
      throw corrupt(path, `a tensor has more than ${mostDimensions} dimensions`)
    const shape = counts(size)
    const strides = counts(stride)
    if (!(storage instanceof Persistent) || !isCount(start) || shape?.length !== strides?.length) {
      throw corrupt(path, 'a tensor is not described by storage, offset, size and stride')
    }
    return new Made(new TensorView(storage, start, shape!, strides!))
  }
  const first = ([value]: PickleValue[]): PickleValue => value ?? null
  const allowed = new Map<string, ((args: PickleValue[]) => PickleValue) | null>([
    ['torch._utils._rebuild_tensor', tensor],
    ['torch._utils._rebuild_tensor_v2', tensor],
    ['torch._utils._rebuild_parameter', first],
    ['torch._utils._rebuild_parameter_with_state', first],
    [
      'collections.OrderedDict',
      ([pairs]) => {
        const map = new Map<PickleValue, PickleValue>()
        for (const pair of Array.isArray(pairs) ? pairs : []) {
          if (!Array.isArray(pair) || pair.length !== 2)
            throw corrupt(path, 'an OrderedDict is not made of pairs')
          map.set(pair[0]!, pair[1]!)
        }
        return map
      },
    ],
    ['torch.Size', first],
    ['torch.device', ([name]) => (typeof name === 'string' ? name : 'cpu')],
    ['torch.nn.parameter.Parameter', first],
    ['torch.Tensor', null],
    ['torch.serialization._get_layout', first],
    // How protocol 2 writes bytes.
    ['_codecs.encode', ([text]) => Buffer.from(typeof text === 'string' ? text : '', 'latin1')],
    ['builtins.set', ([values]) => new Set(Array.isArray(values) ? values : [])],
    ['__builtin__.set', ([values]) => new Set(Array.isArray(values) ? values : [])],
  ])
  for (const name of Object.keys(storageTypes)) {
    allowed.set(`torch.${name}`, null)
    allowed.set(`torch.storage.${name}`, null)
  }
  for (const name of [
    'float64',
    'float32',
    'float16',
    'bfloat16',
    'int64',
    'int32',
    'int16',
    'int8',
    'uint8',
    'bool',
    'complex64',
  ])
    allowed.set(`torch.${name}`, null)
  return allowed
}

/** Where a storage lies, by its key. */
type Storages = (key: string) => { readonly offset: number; readonly bytes: number } | undefined

/**
 * Opens what `torch.save` wrote: the zip of PyTorch 1.6 and later, or the stream of pickles before it. Nothing in it is run;
 * a name that is no part of a file of tensors is `IFT_FILE_HOSTILE`. A state dict may lie below `state_dict`, `model` and the like.
 */
export async function openTorch(path: string): Promise<TorchFile> {
  const size = await fileSize(path)
  const head = await readBytes(path, 0, Math.min(size, 64))
  refusePointer(path, head)
  const magic = Buffer.from(head.subarray(0, 4)).toString('latin1')
  if (magic === 'PK\x03\x04') return openZipped(path)
  if (magic.startsWith('\x80\x02\x8a')) return openLegacy(path, size)
  if (size > 512 && Buffer.from(await readBytes(path, 257, 5)).toString('latin1') === 'ustar') {
    throw unsupported(
      path,
      'is in the tar format of PyTorch before 0.2',
      'Load and save it with a later PyTorch.',
    )
  }
  throw corrupt(path, 'is neither a zip archive nor a pickle, as torch.save writes them')
}

async function openZipped(path: string): Promise<TorchFile> {
  const entries = await openZip(path)
  const pickles = [...entries.values()].filter(({ name }) => /^[^/]*\/?data\.pkl$/.test(name))
  const pickle = pickles[0]
  if (pickle === undefined || pickles.length > 1) {
    throw corrupt(
      path,
      `expected one data.pkl in the archive, found ${pickles.length}`,
      'torch.save writes such archives.',
    )
  }
  if (pickle.bytes > mostPickleBytes)
    throw corrupt(path, `its pickle has ${pickle.bytes} bytes, more than ${mostPickleBytes}`)
  const root = pickle.name.slice(0, -'data.pkl'.length)
  const order = entries.get(`${root}byteorder`)
  if (
    order !== undefined &&
    order.bytes === 3 &&
    Buffer.from(await readBytes(path, order.offset, order.bytes)).toString() === 'big'
  ) {
    throw unsupported(path, 'was written on a big-endian machine', 'Save it on a little-endian one.')
  }
  const { value } = unpickle(path, await readBytes(path, pickle.offset, pickle.bytes), 0, allowedIn(path))
  return collect(path, value, (key) => entries.get(`${root}data/${key}`))
}

const legacyMagic = 0x1950a86a20f9469cfc6cn

/** Pickles of a magic number, the version, the system, the object and the storage keys; then every storage with its length. */
async function openLegacy(path: string, size: number): Promise<TorchFile> {
  const bytes = await readBytes(path, 0, Math.min(size, mostPickleBytes))
  const allowed = allowedIn(path)
  const magic = unpickle(path, bytes, 0, allowed)
  if (magic.value !== legacyMagic) throw corrupt(path, 'is a pickle, but none that torch.save wrote')
  const version = unpickle(path, bytes, magic.end, allowed)
  if (version.value !== 1001)
    throw unsupported(path, 'has an unknown version of the format', 'Save it again with PyTorch.')
  const system = unpickle(path, bytes, version.end, allowed)
  if (system.value instanceof Map && system.value.get('little_endian') === false) {
    throw unsupported(path, 'was written on a big-endian machine', 'Save it on a little-endian one.')
  }
  const object = unpickle(path, bytes, system.end, allowed)
  const keys = unpickle(path, bytes, object.end, allowed)
  if (!Array.isArray(keys.value)) throw corrupt(path, 'its list of storages is missing')
  const items = new Map<string, number>()
  for (const storage of storagesOf(object.value)) {
    const { key, dtype } = describeStorage(path, storage)
    items.set(key, itemBytes[dtype])
  }
  const storages = new Map<string, { offset: number; bytes: number }>()
  let at = keys.end
  const listed = keys.value
  await withFile(path, async (read) => {
    for (const key of listed) {
      if (typeof key !== 'string') throw corrupt(path, 'its list of storages holds something that is no key')
      const item = items.get(key)
      if (item === undefined) throw corrupt(path, `storage ${key} belongs to no tensor`)
      if (storages.has(key)) throw corrupt(path, `storage ${key} is listed twice`)
      const view = new DataView((await read(at, 8)).buffer)
      const elements = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32
      const length = elements * item
      if (!(at + 8 + length <= size)) {
        throw corrupt(path, `storage ${key} would end at byte ${at + 8 + length}, the file has ${size}`)
      }
      storages.set(key, { offset: at + 8, bytes: length })
      at += 8 + length
    }
  })
  return collect(path, object.value, (key) => storages.get(key))
}

/** The storages of all tensors in a value. */
function storagesOf(root: PickleValue): Set<Persistent> {
  const found = new Set<Persistent>()
  const seen = new Set<PickleValue>()
  const open: PickleValue[] = [root]
  while (open.length > 0) {
    const value = open.pop() ?? null
    if (typeof value !== 'object' || value === null || seen.has(value)) continue
    seen.add(value)
    const view = viewIn(value)
    if (view !== null) found.add(view.storage)
    else if (Array.isArray(value) || value instanceof Set) for (const v of value) open.push(v)
    else if (value instanceof Map) for (const [k, v] of value) open.push(k, v)
  }
  return found
}

interface StorageInfo {
  readonly key: string
  readonly dtype: PlainDType
  readonly elements: number
  /** First element of the part of the storage that it stands for. */
  readonly start: number
}

/** ('storage', type, key, device, elements[, view]) */
function describeStorage(path: string, { id }: Persistent): StorageInfo {
  const [tag, type, key, , elements, view] = Array.isArray(id) ? id : []
  const dtype = type instanceof Global ? storageTypes[type.name.split('.').pop()!] : undefined
  if (tag !== 'storage' || dtype === undefined || typeof key !== 'string' || !isCount(elements)) {
    throw corrupt(path, 'a storage is not described by type, key, device and size')
  }
  const [, start, length] = Array.isArray(view) ? view : [null, 0, elements]
  if (!isCount(start) || !isCount(length))
    throw corrupt(path, `storage ${key} has a view without offset and size`)
  return { key, dtype, elements: Array.isArray(view) ? length : elements, start }
}

/** Keys under which programs put the weights beside other things. */
const usualKeys = ['state_dict', 'model_state_dict', 'model', 'module', 'weights', 'params']

const viewIn = (value: PickleValue | undefined): TensorView | null =>
  value instanceof Made && value.value instanceof TensorView ? value.value : null

type Dict = ReadonlyMap<PickleValue, PickleValue>

function stateDict(value: PickleValue | undefined, depth = 0, seen = new Set<PickleValue>()): Dict | null {
  if (!(value instanceof Map) || seen.has(value)) return null
  // A dict may hold itself.
  seen.add(value)
  for (const member of value.values()) if (viewIn(member) !== null) return value
  if (depth === 4) return null
  for (const key of usualKeys) {
    const found = stateDict(value.get(key), depth + 1, seen)
    if (found !== null) return found
  }
  return null
}

function collect(path: string, root: PickleValue, storages: Storages): TorchFile {
  const dict = stateDict(root)
  if (dict === null) {
    throw unsupported(
      path,
      `holds no dictionary of tensors, neither at the top nor under ${usualKeys.join(', ')}`,
      'Save model.state_dict() instead of the model.',
    )
  }
  const tensors = new Map<string, StoredTensor>()
  for (const [name, value] of dict) {
    const view = viewIn(value)
    // Counters and flags beside the tensors.
    if (view === null || typeof name !== 'string') continue
    tensors.set(name, storedOf(path, name, view, storages))
    if (tensors.size > mostTensorsInFile) throw corrupt(path, `has more than ${mostTensorsInFile} tensors`)
  }
  return { path, tensors: withoutWrapper(tensors) }
}

/** Names without the `module.` that data parallel training puts in front of all of them. */
function withoutWrapper(tensors: Map<string, StoredTensor>): Map<string, StoredTensor> {
  const wrapper = 'module.'
  if (tensors.size === 0 || ![...tensors.keys()].every((name) => name.startsWith(wrapper))) return tensors
  return new Map([...tensors].map(([name, tensor]) => [name.slice(wrapper.length), tensor]))
}

function storedOf(path: string, name: string, view: TensorView, storages: Storages): StoredTensor {
  const { key, dtype, elements, start } = describeStorage(path, view.storage)
  const { shape, strides } = view
  const item = itemBytes[dtype]
  const size = sizeOf(shape)
  const storage = storages(key)
  if (storage === undefined) throw corrupt(path, `storage ${key} of tensor ${name} is missing`)
  if (!Number.isSafeInteger(size)) {
    throw corrupt(path, `tensor ${name} would have the shape [${shape.join(', ')}]`)
  }
  // Elements from the first to the last that it touches.
  const extent = size === 0 ? 0 : shape.reduce((n, d, i) => n + (d - 1) * strides[i]!, 1)
  if (!(view.start + extent <= elements) || !((start + elements) * item <= storage.bytes)) {
    throw corrupt(
      path,
      `tensor ${name} would need elements ${view.start} to ${view.start + extent} of a storage of ` +
        `${Math.min(elements, Math.floor(storage.bytes / item))}`,
    )
  }
  if (size > extent + mostRepeated) {
    throw unsupported(
      path,
      `tensor ${name} of shape [${shape.join(', ')}] repeats the ${extent} elements that are stored`,
      'Save a whole copy of it: tensor.clone().',
    )
  }
  const offset = storage.offset + (start + view.start) * item
  const place = { file: path, dtype, shape, offset, bytes: extent * item }
  if (size === 0 || isRowMajor(shape, strides)) return place
  return { ...place, strides }
}

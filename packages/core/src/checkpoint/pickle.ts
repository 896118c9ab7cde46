// One virtual machine: its opcodes share the stack, the memo and the reader, and are read best beside each other.
import { leastPickleMemory, mostPickleMemory, pickleFactor } from '../files/bounds.js'
import { corrupt, hostile } from '../files/errors.js'

/** A name that a pickle refers to, like `torch.FloatStorage`. */
export class Global {
  constructor(readonly name: string) {}
}

/** An object outside the pickle, by its id: for PyTorch, a storage. */
export class Persistent {
  constructor(readonly id: PickleValue) {}
}

/** Result of an allowed call that is no plain value. */
export class Made<T extends object = object> {
  constructor(readonly value: T) {}
}

/** Lists and tuples are arrays; dicts of any kind are maps. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | Set<PickleValue>
  | Global
  | Persistent
  | Made

/** Functions in place of the callables of Python. A name that is not in the table is refused when it occurs. */
export type AllowedGlobals = ReadonlyMap<string, ((args: PickleValue[]) => PickleValue) | null>

const mark = Symbol('mark')
type Slot = PickleValue | typeof mark

/** Deepest use of the stack, and longest number, of any checkpoint. */
const mostStack = 1 << 22
const mostLongBytes = 64

export interface Unpickled {
  readonly value: PickleValue
  /** Bytes up to and with the STOP. */
  readonly end: number
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Reads a pickle (protocols 0 to 5) without executing any of it: names are looked up in `allowed`, objects are never
 * made, and a name that is not there is `IFT_FILE_HOSTILE`. `start` is where it begins in `bytes`.
 */
export function unpickle(path: string, bytes: Uint8Array, start: number, allowed: AllowedGlobals): Unpickled {
  return new Machine(path, bytes, start, allowed).run()
}

function sizeOf(value: PickleValue): number {
  if (typeof value === 'string') return objectBytes + 2 * value.length
  if (typeof value === 'bigint') return objectBytes
  if (typeof value !== 'object' || value === null) return 0
  if (Array.isArray(value)) return objectBytes + elementBytes * value.length
  if (value instanceof Uint8Array) return 2 * objectBytes + value.length
  if (value instanceof Map || value instanceof Set) return 2 * objectBytes + entryBytes * value.size
  return 2 * objectBytes
}

/** Bytes that objects take in memory, roughly: the object itself, an element of a list, an entry of a dict or set. */
const objectBytes = 64
const elementBytes = 8
const entryBytes = 48

class Machine {
  readonly #path: string
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #allowed: AllowedGlobals
  #at: number
  readonly #stack: Slot[] = []
  readonly #memo = new Map<number, PickleValue>()
  /** Bytes that may still be made. */
  #budget: number

  constructor(path: string, bytes: Uint8Array, start: number, allowed: AllowedGlobals) {
    this.#path = path
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#at = start
    this.#allowed = allowed
    this.#budget = Math.min(
      mostPickleMemory,
      Math.max(leastPickleMemory, pickleFactor * (bytes.length - start)),
    )
  }

  run(): Unpickled {
    for (;;) {
      const op = this.#take(1)[0]!
      if (op === 0x2e) return { value: this.#pop(), end: this.#at }
      this.#step(op)
      if (this.#stack.length > mostStack) throw this.#damaged('its stack grows without end')
    }
  }

  #step(op: number): void {
    const view = this.#view
    switch (String.fromCharCode(op)) {
      case '(':
        this.#stack.push(mark)
        return
      case '0':
        this.#stack.pop()
        return
      case '1':
        this.#marked()
        return
      case '2':
        this.#push(this.#peek())
        return
      case 'N': {
        this.#push(null)
        return
      }
      case '\x88': {
        this.#push(true)
        return
      }
      case '\x89': {
        this.#push(false)
        return
      }
      // Numbers
      case 'I': {
        const line = this.#line()
        if (line === '00' || line === '01') {
          this.#push(line === '01')
          return
        }
        this.#made(this.#integer(line))
        return
      }
      case 'L': {
        this.#made(this.#integer(this.#line().replace(/L$/, '')))
        return
      }
      case 'J': {
        this.#made(view.getInt32(this.#skip(4), true))
        return
      }
      case 'K': {
        this.#made(view.getUint8(this.#skip(1)))
        return
      }
      case 'M': {
        this.#made(view.getUint16(this.#skip(2), true))
        return
      }
      case '\x8a': {
        this.#made(this.#long(view.getUint8(this.#skip(1))))
        return
      }
      case '\x8b': {
        this.#made(this.#long(view.getInt32(this.#skip(4), true)))
        return
      }
      case 'F': {
        const line = this.#line()
        const value = Number(line)
        if (line === '' || (Number.isNaN(value) && line !== 'nan'))
          throw this.#damaged(`${line} is no number`)
        this.#made(value)
        return
      }
      case 'G': {
        this.#made(view.getFloat64(this.#skip(8), false))
        return
      }
      // Strings and bytes
      case 'S': {
        const line = this.#line()
        const quoted = /^(['"])(.*)\1$/.exec(line)
        if (quoted === null || quoted[2]!.includes('\\'))
          throw this.#damaged('a string is not quoted as expected')
        this.#made(quoted[2]!)
        return
      }
      case 'V': {
        const line = this.#line()
        this.#made(
          line.replaceAll(/\\u([0-9a-fA-F]{4})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
        )
        return
      }
      case 'T': {
        this.#made(Buffer.from(this.#take(this.#length32())).toString('latin1'))
        return
      }
      case 'U': {
        this.#made(Buffer.from(this.#take(view.getUint8(this.#skip(1)))).toString('latin1'))
        return
      }
      case 'X': {
        this.#made(this.#text(this.#length32()))
        return
      }
      case '\x8c': {
        this.#made(this.#text(view.getUint8(this.#skip(1))))
        return
      }
      case '\x8d': {
        this.#made(this.#text(this.#length64()))
        return
      }
      case 'B': {
        this.#made(this.#take(this.#length32()).slice())
        return
      }
      case 'C': {
        this.#made(this.#take(view.getUint8(this.#skip(1))).slice())
        return
      }
      case '\x8e':
      case '\x96': {
        this.#made(this.#take(this.#length64()).slice())
        return
      }
      // Collections
      case ')': {
        this.#made([])
        return
      }
      case ']': {
        this.#made([])
        return
      }
      case '}': {
        this.#made(new Map())
        return
      }
      case '\x8f': {
        this.#made(new Set())
        return
      }
      case '\x85': {
        this.#made([this.#pop()])
        return
      }
      case '\x86': {
        const b = this.#pop()
        this.#made([this.#pop(), b])
        return
      }
      case '\x87': {
        const c = this.#pop()
        const b = this.#pop()
        this.#made([this.#pop(), b, c])
        return
      }
      case 't':
      case 'l': {
        this.#made(this.#marked())
        return
      }
      case 'd': {
        this.#made(this.#setItems(new Map(), this.#marked()))
        return
      }
      case 'a': {
        const value = this.#pop()
        this.#spend(elementBytes)
        this.#list().push(value)
        return
      }
      case 'e': {
        const values = this.#marked()
        const list = this.#list()
        this.#spend(elementBytes * values.length)
        for (const value of values) list.push(value)
        return
      }
      case 's': {
        const value = this.#pop()
        const key = this.#pop()
        this.#spend(entryBytes)
        this.#setItems(this.#dict(), [key, value])
        return
      }
      case 'u': {
        const items = this.#marked()
        this.#spend(entryBytes * items.length)
        this.#setItems(this.#dict(), items)
        return
      }
      case '\x90': {
        const values = this.#marked()
        const set = this.#peek()
        if (!(set instanceof Set)) throw this.#damaged('adds to something that is no set')
        this.#spend(entryBytes * values.length)
        for (const value of values) set.add(value)
        return
      }
      case '\x91': {
        this.#made(new Set(this.#marked()))
        return
      }
      // Memo
      case 'p':
        this.#remember(Number(this.#line()))
        return
      case 'q':
        this.#remember(view.getUint8(this.#skip(1)))
        return
      case 'r':
        this.#remember(this.#length32())
        return
      case '\x94':
        this.#remember(this.#memo.size)
        return
      case 'g': {
        this.#push(this.#remembered(Number(this.#line())))
        return
      }
      case 'h': {
        this.#push(this.#remembered(view.getUint8(this.#skip(1))))
        return
      }
      case 'j': {
        this.#push(this.#remembered(this.#length32()))
        return
      }
      // Names, calls, references
      case 'c': {
        const module = this.#line()
        this.#made(this.#global(module, this.#line()))
        return
      }
      case '\x93': {
        const name = this.#pop()
        const module = this.#pop()
        if (typeof name !== 'string' || typeof module !== 'string') throw this.#damaged('a name is no string')
        this.#made(this.#global(module, name))
        return
      }
      case 'R': {
        const args = this.#pop()
        this.#push(this.#call(this.#pop(), args))
        return
      }
      case '\x81': {
        const args = this.#pop()
        this.#push(this.#call(this.#pop(), args))
        return
      }
      case 'b': {
        // The state of an object: attributes like _metadata, which no tensor needs.
        this.#pop()
        const target = this.#peek()
        if (target instanceof Map || target instanceof Made) return
        throw this.#refused('sets the state of an object')
      }
      case 'P': {
        this.#made(new Persistent(this.#line()))
        return
      }
      case 'Q': {
        this.#made(new Persistent(this.#pop()))
        return
      }
      case 'i': {
        const module = this.#line()
        throw this.#refused(`makes an object of ${module}.${this.#line()}`)
      }
      case 'o':
        throw this.#refused('makes an object of a class')
      case '\x92':
        throw this.#refused('makes an object of a class')
      case '\x82':
      case '\x83':
      case '\x84':
        throw this.#refused('uses an extension registered by a program')
      // Framing
      case '\x80': {
        const protocol = view.getUint8(this.#skip(1))
        if (protocol > 5) throw this.#damaged(`its pickle protocol is ${protocol}, known are 0 to 5`)
        return
      }
      case '\x95':
        this.#length64()
        return
      default:
        throw this.#damaged(`has no pickle instruction 0x${op.toString(16)}`)
    }
  }

  #global(module: string, name: string): Global {
    const full = `${module}.${name}`
    if (this.#allowed.has(full)) return new Global(full)
    throw this.#refused(`names ${JSON.stringify(full)}, which is no part of a file of tensors`)
  }

  #call(target: PickleValue, args: PickleValue): PickleValue {
    if (!(target instanceof Global) || !Array.isArray(args))
      throw this.#refused('calls something that is no function')
    const make = this.#allowed.get(target.name)
    if (make === undefined || make === null) throw this.#refused(`calls ${target.name}`)
    // What is made is made of them.
    this.#spend(2 * objectBytes)
    for (const arg of args)
      if (Array.isArray(arg)) this.#spend(entryBytes * arg.length)
      else this.#spend(sizeOf(arg))
    return make(args)
  }

  #setItems(
    map: Map<PickleValue, PickleValue>,
    items: readonly PickleValue[],
  ): Map<PickleValue, PickleValue> {
    if (items.length % 2 !== 0) throw this.#damaged('a dict has a key without a value')
    for (let i = 0; i < items.length; i += 2) map.set(items[i]!, items[i + 1]!)
    return map
  }

  #list(): PickleValue[] {
    const list = this.#peek()
    if (!Array.isArray(list)) throw this.#damaged('appends to something that is no list')
    return list
  }

  #dict(): Map<PickleValue, PickleValue> {
    const dict = this.#peek()
    if (!(dict instanceof Map)) throw this.#refused('sets items of something that is no dict')
    return dict
  }

  #push(value: PickleValue): void {
    this.#stack.push(value)
  }

  /** A value that takes memory of its own. */
  #made(value: PickleValue): void {
    this.#spend(sizeOf(value))
    this.#push(value)
  }

  #spend(bytes: number): void {
    this.#budget -= bytes
    if (this.#budget < 0)
      throw hostile(
        this.#path,
        `its pickle makes far more than it holds, by byte ${this.#at}`,
        'No file of tensors does so. Nothing of it was used.',
      )
  }

  #pop(): PickleValue {
    const value = this.#stack.pop()
    if (value === undefined || value === mark) throw this.#damaged('takes from an empty stack')
    return value
  }

  #peek(): PickleValue {
    const value = this.#stack[this.#stack.length - 1]
    if (value === undefined || value === mark) throw this.#damaged('takes from an empty stack')
    return value
  }

  /** Everything above the last mark, which goes. */
  #marked(): PickleValue[] {
    const at = this.#stack.lastIndexOf(mark)
    if (at < 0) throw this.#damaged('a mark is missing')
    const values = this.#stack.splice(at)
    values.shift()
    return values as PickleValue[]
  }

  #remember(index: number): void {
    this.#spend(entryBytes)
    this.#memo.set(index, this.#peek())
  }

  #remembered(index: number): PickleValue {
    const value = this.#memo.get(index)
    if (value === undefined) throw this.#damaged(`uses memo ${index} before it is set`)
    return value
  }

  #skip(bytes: number): number {
    const at = this.#at
    if (!(at + bytes <= this.#bytes.length)) {
      throw this.#damaged(`needs ${bytes} bytes at ${at}, has ${this.#bytes.length - at}`)
    }
    this.#at += bytes
    return at
  }

  #take(bytes: number): Uint8Array {
    const at = this.#skip(bytes)
    return this.#bytes.subarray(at, at + bytes)
  }

  #length32(): number {
    return this.#view.getUint32(this.#skip(4), true)
  }

  #length64(): number {
    const at = this.#skip(8)
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32
  }

  #text(bytes: number): string {
    try {
      return decoder.decode(this.#take(bytes))
    } catch (error) {
      if (error instanceof TypeError) throw this.#damaged('a string is not UTF-8')
      throw error
    }
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at)
    if (end < 0) throw this.#damaged('a line does not end')
    const line = Buffer.from(this.#take(end - this.#at)).toString('latin1')
    this.#skip(1)
    return line
  }

  #integer(text: string): number | bigint {
    if (!/^[+-]?\d{1,150}$/.test(text)) throw this.#damaged(`${text.slice(0, 20)} is no integer`)
    const value = BigInt(text)
    return Number.isSafeInteger(Number(value)) ? Number(value) : value
  }

  /** A little-endian number in two's complement. */
  #long(bytes: number): number | bigint {
    if (bytes > mostLongBytes || bytes < 0) throw this.#damaged(`a number has ${bytes} bytes`)
    let value = 0n
    const digits = this.#take(bytes)
    for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(digits[i]!)
    if (bytes > 0 && digits[bytes - 1]! >= 128) value -= 1n << BigInt(bytes * 8)
    return Number.isSafeInteger(Number(value)) ? Number(value) : value
  }

  #damaged(problem: string) {
    return corrupt(this.#path, `its pickle is damaged near byte ${this.#at}: ${problem}`)
  }

  #refused(what: string) {
    return hostile(
      this.#path,
      `its pickle ${what}; in Python, loading it could run any code.`,
      'Nothing of it was run. If you trust the file, save its tensors as safetensors where it was made.',
    )
  }
}

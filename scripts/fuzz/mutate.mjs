// Changes of files: of bytes, of numbers in them, and of values in JSON.

import { gunzipSync, gzipSync } from 'node:zlib'

/** @typedef {import('./random.mjs').Random} Random */
/** @typedef {(bytes: Buffer, random: Random) => Buffer} Mutation */

const extremes = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0xffffn,
  0x7fffffffn,
  0xffffffffn,
  2n ** 40n,
  2n ** 53n + 1n,
  2n ** 63n,
  2n ** 64n - 1n,
]

/** @type {Mutation} */
function flipBits(bytes, random) {
  const changed = Buffer.from(bytes)
  for (let n = 1 + random.below(8); n > 0 && changed.length > 0; n--)
    changed[random.below(changed.length)] ^= 1 << random.below(8)
  return changed
}

/** Overwrites an integer of 1, 2, 4 or 8 bytes. @type {Mutation} */
function setNumber(bytes, random) {
  const changed = Buffer.from(bytes)
  const width = random.pick([1, 2, 4, 8])
  if (changed.length < width) return changed
  // Headers lie in front, and directories at the end.
  const reach = random.pick([64, 1024, changed.length])
  const place = random.below(Math.min(reach, changed.length - width + 1))
  const at = random.next() < 0.75 ? place : changed.length - width - place
  const value = Buffer.alloc(8)
  value.writeBigUInt64LE(random.next() < 0.8 ? random.pick(extremes) : BigInt(random.below(2 ** 31)))
  value.copy(changed, Math.max(0, at), 0, width)
  return changed
}

/** @type {Mutation} */
const cut = (bytes, random) => Buffer.from(bytes.subarray(0, random.below(bytes.length + 1)))

/** Takes a range out, or puts it in once more somewhere else. @type {Mutation} */
function move(bytes, random) {
  const from = random.below(bytes.length + 1)
  const to = Math.min(bytes.length, from + random.below(random.pick([4, 64, 4096])))
  const [head, part, tail] = [bytes.subarray(0, from), bytes.subarray(from, to), bytes.subarray(to)]
  if (random.next() < 0.4) return Buffer.concat([head, tail])
  if (random.next() < 0.5) return Buffer.concat([head, part, part, tail])
  const at = random.below(bytes.length + 1)
  return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)])
}

/** @type {Mutation} */
function grow(bytes, random) {
  const filler = Buffer.alloc(
    random.pick([1, 100, 10_000, 1_000_000]),
    random.pick([0, 0x20, 0x0a, 0x5b, 0xff]),
  )
  const at = random.pick([0, random.below(bytes.length + 1), bytes.length])
  return Buffer.concat([bytes.subarray(0, at), filler, bytes.subarray(at)])
}

/** @type {Mutation} */
export function mutateBytes(bytes, random) {
  let changed = bytes
  for (let n = 1 + random.below(3); n > 0; n--)
    changed = random.pick([flipBits, flipBits, setNumber, setNumber, setNumber, cut, move, grow])(
      changed,
      random,
    )
  return changed
}

/** JSON of things that are not what was expected. @param {Random} random */
function oddValue(random) {
  const deep = random.pick([20, 200, 100_000])
  return random.pick([
    'null',
    'true',
    '[]',
    '{}',
    '""',
    '0',
    '-1',
    '1.5',
    '1e308',
    '1e999',
    '9007199254740993',
    '2147483648',
    '1000000',
    '"constructor"',
    '"__proto__"',
    '"../../x"',
    '"\\ud800"',
    '"\\u0000"',
    '"(.*)*(.*)*x"',
    '"{% for i in range(3) %}{{ i }}{% endfor %}"',
    '{"__proto__": {"a": 1}}',
    `"${'a'.repeat(random.pick([1000, 1_000_000]))}"`,
    `[${'0,'.repeat(random.pick([10, 10_000, 1_000_000]))}0]`,
    `${'['.repeat(deep)}${']'.repeat(deep)}`,
    `${'{"a":'.repeat(deep)}1${'}'.repeat(deep)}`,
  ])
}

/** A value of JSON text at a place that is chosen, changed, taken out, named otherwise or put in twice. @type {Mutation} */
function mutateValue(bytes, random) {
  let value
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch {
    return mutateBytes(bytes, random)
  }
  const marker = 'ift fuzz marker'
  if (typeof value !== 'object' || value === null || random.next() < 0.03)
    return Buffer.from(oddValue(random))
  // Down from the top, as far as chance goes.
  let parent = value
  let key = random.pick(Object.keys(parent).length > 0 ? Object.keys(parent) : ['new'])
  while (random.next() < 0.7) {
    const child = parent[key]
    if (typeof child !== 'object' || child === null || Object.keys(child).length === 0) break
    parent = child
    key = random.pick(Object.keys(child))
  }
  const kind = random.below(10)
  if (kind === 0 && !Array.isArray(parent)) Reflect.deleteProperty(parent, key)
  else if (kind === 1 && Array.isArray(parent)) parent.splice(Number(key), 1)
  else if (kind === 2 && !Array.isArray(parent))
    parent[random.pick(['__proto__x', 'constructor', '', key + 'x'])] = parent[key]
  else if (kind === 3 && Array.isArray(parent)) parent.push(...parent.slice(0, 100))
  else if (kind === 4 && typeof parent[key] === 'number')
    parent[key] = parent[key] * random.pick([-1, 0, 2, 0.5, 1000, 1e12])
  else {
    parent[key] = marker
    return Buffer.from(JSON.stringify(value).replace(`"${marker}"`, () => oddValue(random)))
  }
  return Buffer.from(JSON.stringify(value))
}

/** @type {Mutation} */
export const mutateJson = (bytes, random) =>
  random.next() < 0.75 ? mutateValue(bytes, random) : mutateBytes(bytes, random)

/** The header is JSON behind its length. @type {Mutation} */
export function mutateSafetensors(bytes, random) {
  if (random.next() < 0.5) return mutateBytes(bytes, random)
  const length = Number(bytes.readBigUInt64LE())
  const header = mutateValue(bytes.subarray(8, 8 + length), random)
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([size, header, bytes.subarray(8 + length)])
}

/** A line of JSON, or bytes. @type {Mutation} */
export function mutateLines(bytes, random) {
  if (random.next() < 0.4) return mutateBytes(bytes, random)
  const lines = bytes.toString('utf8').split('\n')
  const at = random.below(lines.length)
  lines[at] = mutateValue(Buffer.from(lines[at]), random).toString('utf8')
  return Buffer.from(lines.join('\n'))
}

/** What is compressed, or the compressed bytes. @param {Mutation} inner @returns {Mutation} */
export const mutateGzip = (inner) => (bytes, random) =>
  random.next() < 0.5 ? mutateBytes(bytes, random) : gzipSync(inner(gunzipSync(bytes), random), { level: 1 })

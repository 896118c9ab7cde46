// @ts-check
// Instruction rows of which some are near to earlier ones, and how near two of them are by definition.
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** Words in a run; similarity from which on two rows are near. The defaults of `dedup: near`. */
export const [shingle, threshold] = [5, 0.8]

/** The set of runs of a text, the words themselves and no hashes of them. @param {readonly string[]} words */
export function runsOf(words) {
  /** @type {Set<string>} */
  const runs = new Set()
  for (let i = 0; i < Math.max(1, words.length - shingle + 1); i++)
    runs.add(words.slice(i, i + shingle).join(' '))
  return runs
}

/** Jaccard similarity. @param {ReadonlySet<string>} a @param {ReadonlySet<string>} b */
export function similarity(a, b) {
  let shared = 0
  for (const run of a) if (b.has(run)) shared++
  return shared / (a.size + b.size - shared)
}

/** @typedef {[earlier: number, row: number]} Pair rows of a file by number, from 0 on */

/**
 * Writes rows of about 115 words of a vocabulary in which a few words are frequent. A tenth of them are copies of one of the
 * last 50,000 that are none, with up to six words replaced.
 * @param {string} file
 * @param {number} count
 * @returns {{ copies: number, near: Pair[] }} near: copies that are as similar as `threshold` to what they were made from
 */
export function writeNearRows(file, count) {
  let state = 24
  const next = (/** @type {number} */ below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const vocabulary = Array.from({ length: 30000 }, () =>
    Array.from({ length: 2 + next(8) }, () => String.fromCharCode(97 + next(26))).join(''),
  )
  const word = () => /** @type {string} */ (vocabulary[next(next(vocabulary.length) + 1)])
  /** @type {{ row: number, words: string[] }[]} Rows that later ones are copies of. */
  const earlier = []
  let copies = 0
  /** @type {Pair[]} */
  const near = []
  const out = openSync(file, 'w')
  let text = ''
  for (let row = 0; row < count; row++) {
    const copied = row > 0 && next(10) === 0 ? earlier[next(earlier.length)] : undefined
    const words = copied ? [...copied.words] : Array.from({ length: 60 + next(110) }, word)
    if (copied) {
      for (let k = next(7); k > 0; k--) words[next(words.length)] = word()
      copies++
      if (similarity(runsOf(copied.words), runsOf(words)) >= threshold) near.push([copied.row, row])
    } else if (earlier.length < 50000) earlier.push({ row, words })
    else earlier[next(earlier.length)] = { row, words }
    const [instruction, input, output] = [words.slice(0, 15), words.slice(15, 30), words.slice(30)]
    text += `${JSON.stringify({ instruction: instruction.join(' '), input: input.join(' '), output: `${output.join(' ')}.` })}\n`
    if (text.length < 1 << 20) continue
    writeSync(out, text)
    text = ''
  }
  writeSync(out, text)
  closeSync(out)
  return { copies, near }
}

/**
 * What two programs found, row by row, and whether it is so by the runs themselves.
 * @param {string} file of rows
 * @param {readonly Pair[]} ours
 * @param {readonly Pair[]} theirs
 */
export async function comparePairs(file, ours, theirs) {
  const wanted = new Set([...ours, ...theirs].flat())
  /** @type {Map<number, Set<string>>} */
  const runs = new Map()
  let number = 0
  for await (const line of createInterface({ input: createReadStream(file) })) {
    if (wanted.has(number)) {
      const { instruction, input, output } = JSON.parse(line)
      runs.set(number, runsOf(`${instruction} ${input} ${output}`.toLowerCase().match(/\w+/g) ?? []))
    }
    number++
  }
  const none = new Set([''])
  const isNear = (/** @type {Pair} */ [a, b]) =>
    similarity(runs.get(a) ?? none, runs.get(b) ?? none) >= threshold
  const verified = (/** @type {readonly Pair[]} */ pairs) => {
    const near = pairs.filter(isNear).length
    return { pairs: pairs.length, near, less_near: pairs.length - near }
  }
  const [us, them] = [new Map(ours.map(([a, b]) => [b, a])), new Map(theirs.map(([a, b]) => [b, a]))]
  return {
    both: [...us].filter(([row]) => them.has(row)).length,
    with_the_same_earlier_row: [...us].filter(([row, of]) => them.get(row) === of).length,
    ift: verified(ours),
    peer: verified(theirs),
    ift_alone: verified(ours.filter(([, row]) => !them.has(row))),
    peer_alone: verified(theirs.filter(([, row]) => !us.has(row))),
  }
}

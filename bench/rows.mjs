// @ts-check
// Rows of instruction data read, rendered and tokenised: milliseconds of the process, the least of several turns.
//   node bench/rows.mjs [--root DIR] [--rows 10000] [--turns 5]
// --root names another checkout that is built, to compare two of them on one machine.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    root: { type: 'string', default: fileURLToPath(new URL('..', import.meta.url)) },
    rows: { type: 'string', default: '10000' },
    turns: { type: 'string', default: '5' },
  },
})
const [rows, turns] = [Number(values.rows), Number(values.turns)]
if (!rows || !turns) throw new Error('--rows, --turns: at least 1')
const root = resolve(values.root)
/** @type {typeof import('@ift/core')} */
const { buildSampleStore, Ift, readExamples } = await import(
  pathToFileURL(join(root, 'packages/core/dist/index.js')).href
)

const words =
  'the of number how many apples does she have left after buying three more and giving some away'.split(' ')
let state = 7
const next = (/** @type {number} */ n) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return (state >>> 8) % n
}
const text = (/** @type {number} */ most) =>
  Array.from({ length: 3 + next(most) }, () => words[next(words.length)]).join(' ')
const scratch = mkdtempSync(join(tmpdir(), 'ift-rows-'))
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))
const file = join(scratch, 'rows.jsonl')
const line = () => JSON.stringify({ instruction: text(20), input: next(3) ? '' : text(30), output: text(60) })
writeFileSync(file, Array.from({ length: rows }, line).join('\n'))

/** Milliseconds of all threads of this process. */
async function least(/** @type {() => Promise<unknown>} */ work) {
  let best = Infinity
  for (let turn = 0; turn < turns; turn++) {
    const before = process.cpuUsage()
    await work()
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, user + system)
  }
  return Math.round(best / 1000)
}

const ift = await Ift.load({
  cwd: join(root, 'examples/quickstart'),
  config: { weights: 'model', template: 'alpaca', data: [] },
})
const { tokenizer, template } = await ift.openData()
const read = await least(async () => {
  for await (const example of readExamples(file)) void example
})
const tokenised = await least(() =>
  buildSampleStore(readExamples(file), {
    template,
    tokenizer,
    maxLength: 512,
    trainOn: 'assistant',
    truncation: 'right',
  }),
)
console.log(JSON.stringify({ rows, read_ms: read, tokenised_ms: tokenised }))
await ift.close()

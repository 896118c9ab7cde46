// @ts-check
// ift and PyTorch + PEFT on the same work, turn about on the same machine; prints the ratios and keeps every run.
//   node bench/compare.mjs --python .venv/bin/python [--rounds 3] [--out FILE] [--compile] -- ARGS OF BOTH
//   node bench/compare.mjs --python .venv/bin/python -- --model smollm2-135m --batch 2 --seq 256
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { median } from './median.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const split = process.argv.indexOf('--')
const shared = split < 0 ? [] : process.argv.slice(split + 1)
const { values } = parseArgs({
  args: process.argv.slice(2, split < 0 ? undefined : split),
  options: {
    python: { type: 'string', default: 'python3' },
    rounds: { type: 'string', default: '3' },
    out: { type: 'string' },
    compile: { type: 'boolean', default: false },
  },
})

/** @typedef {Record<string, number> & { step_s: number[] }} Run */

/** @param {string} command @param {string[]} args @returns {Run} the line of JSON that a bench ends with */
const run = (command, args) => {
  const { status, stdout, error } = spawnSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`)
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
}

// PyTorch reads a SentencePiece file where ift reads the folder that it is in.
const forIft = shared.map((arg, i) => (shared[i - 1] === '--tokenizer' ? dirname(arg) : arg))
/** @type {{ ift: Run[], peer: Run[] }} */
const runs = { ift: [], peer: [] }
for (let round = 0; round < Number(values.rounds); round++) {
  runs.ift.push(run(process.execPath, [`${here}train.mjs`, ...forIft]))
  runs.peer.push(
    run(values.python, [`${here}peers/torch_peft.py`, ...shared, ...(values.compile ? ['--compile'] : [])]),
  )
}

const rows = ['tokens_per_s', 'tokens_per_s_total', 'peak_rss_mib', 'command_to_first_step_s'].map(
  (field) => {
    const ift = median(runs.ift.map((one) => one[field] ?? NaN))
    const peer = median(runs.peer.map((one) => one[field] ?? NaN))
    return { field, ift, peer, ratio: Number((ift / peer).toFixed(3)) }
  },
)
console.log(`median of ${values.rounds} runs each, turn about: ${shared.join(' ')}`)
console.table(rows)
if (values.out) {
  mkdirSync(dirname(values.out), { recursive: true })
  writeFileSync(
    values.out,
    `${JSON.stringify({ arguments: shared.map((arg) => basename(arg)), compile: values.compile, rows, runs }, null, 1)}\n`,
  )
}

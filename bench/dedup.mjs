// @ts-check
// Near duplicates of instruction rows with ift and with datasketch, one process after the other: seconds, memory, and whether both find
// the same pairs. Rows are made: a tenth of them are copies of an earlier one with up to six words replaced.
//   node bench/dedup.mjs --python .venv/bin/python [--rows 100000] [--out results.json] [--quick]
// --quick leaves out datasketch with its own hashes.
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Ift } from '@ift/core'

const { values } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    rows: { type: 'string', default: '100000' },
    out: { type: 'string' },
    quick: { type: 'boolean', default: false },
    // Of the process that is measured.
    audit: { type: 'string' },
    pairs: { type: 'string' },
  },
})

if (values.audit !== undefined) await audit(values.audit, values.pairs ?? '')
else compare()

/** Measures this process. */
async function audit(/** @type {string} */ file, /** @type {string} */ pairsFile) {
  const started = performance.now()
  /** @type {number[][]} */
  const pairs = []
  const line = (/** @type {string} */ where) => Number(where.slice(where.lastIndexOf(':') + 1)) - 1
  const report = await Ift.using({ config: { data: [] } }, (ift) =>
    ift.auditData({
      data: [{ path: file, encoding: 'utf-8' }],
      onFinding: ({ kind, where, of }) => {
        if (kind === 'exact' || kind === 'near') pairs.push([line(of), line(where)])
      },
    }),
  )
  const seconds = (performance.now() - started) / 1000
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
  writeFileSync(pairsFile, JSON.stringify(pairs))
  console.log(
    JSON.stringify({
      engine: `ift, Node ${process.version}`,
      rows: report.sets[0]?.examples,
      pairs: pairs.length,
      seconds: Number(seconds.toFixed(2)),
      cpu_seconds: Number(((userCPUTime + systemCPUTime) / 1e6).toFixed(2)),
      peak_rss_mib: Math.round(maxRSS / 1024),
    }),
  )
}

/** Rows of about 115 words of a vocabulary in which a few words are frequent. */
function makeRows(/** @type {string} */ file, /** @type {number} */ count) {
  let state = 24
  const next = (/** @type {number} */ below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const vocabulary = Array.from({ length: 30000 }, () =>
    Array.from({ length: 2 + next(8) }, () => String.fromCharCode(97 + next(26))).join(''),
  )
  const word = () => /** @type {string} */ (vocabulary[next(next(vocabulary.length) + 1)])
  /** @type {string[][]} Rows that later ones are copies of. */
  const earlier = []
  const out = openSync(file, 'w')
  let text = ''
  for (let i = 0; i < count; i++) {
    const copied = i > 0 && next(10) === 0 ? earlier[next(earlier.length)] : undefined
    const words = copied ? [...copied] : Array.from({ length: 60 + next(110) }, word)
    if (copied) for (let k = next(7); k > 0; k--) words[next(words.length)] = word()
    else if (earlier.length < 50000) earlier.push(words)
    else earlier[next(earlier.length)] = words
    const [instruction, input, output] = [words.slice(0, 15), words.slice(15, 30), words.slice(30)]
    text += `${JSON.stringify({ instruction: instruction.join(' '), input: input.join(' '), output: `${output.join(' ')}.` })}\n`
    if (text.length < 1 << 20) continue
    writeSync(out, text)
    text = ''
  }
  writeSync(out, text)
  closeSync(out)
}

function compare() {
  const dir = mkdtempSync(join(tmpdir(), 'ift-dedup-'))
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
  const file = join(dir, 'rows.jsonl')
  makeRows(file, Number(values.rows))
  const run = (/** @type {string} */ command, /** @type {string[]} */ args) => {
    const { status, stdout, error } = spawnSync(command, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    if (error) throw error
    if (status !== 0) throw new Error(`${command} ended with ${status}`)
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
  }
  const [own, theirs] = [join(dir, 'ift.json'), join(dir, 'datasketch.json')]
  const peer = fileURLToPath(new URL('peers/datasketch_dedup.py', import.meta.url))
  const load = loadavg()[0]
  const ift = run(process.execPath, [fileURLToPath(import.meta.url), '--audit', file, '--pairs', own])
  const same = run(values.python, [peer, file, '--same', '--pairs', theirs])
  const plain = values.quick ? null : run(values.python, [peer, file])
  const [a, b] = [own, theirs].map((name) => readFileSync(name, 'utf8').replaceAll(' ', ''))
  const result = {
    made_by: `node bench/dedup.mjs --rows ${values.rows}`,
    machine: { cpu: cpus()[0]?.model, cores: cpus().length, load_average: load },
    file_mb: Math.round(statSync(file).size / 1e6),
    same_pairs: a === b,
    ift,
    datasketch: plain,
    datasketch_same_hashes: same,
  }
  const text = `${JSON.stringify(result, null, 2)}\n`
  if (values.out !== undefined) writeFileSync(values.out, text)
  console.log(text)
  if (!result.same_pairs) process.exitCode = 1
}

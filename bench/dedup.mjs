// @ts-check
// Near duplicates of instruction rows with ift and with datasketch, one process after the other: seconds, seconds of the processor, memory,
// whether both find the same pairs, and whether these are near by their runs themselves. Rows are made (near-rows.mjs).
//   node bench/dedup.mjs [--rows 100000] [--out results.json] [--quick] [--python .venv/bin/python] [--dir FOLDER]
// --quick leaves out datasketch with its own hashes. Without --python, datasketch is installed beside (peer-packages.mjs). datasketch takes 7 GB
// for a million rows.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Ift, version } from '@ift/core'
import { loadNow, machine } from './machine.mjs'
import { comparePairs, writeNearRows } from './near-rows.mjs'
import { pythonWith } from './peer-packages.mjs'

const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    dir: { type: 'string', default: tmpdir() },
    rows: { type: 'string', default: '100000' },
    out: { type: 'string' },
    quick: { type: 'boolean', default: false },
    // Of the process that is measured.
    audit: { type: 'string' },
    pairs: { type: 'string' },
  },
})

if (values.audit !== undefined) await audit(values.audit, values.pairs ?? '')
else await compare()

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

async function compare() {
  const python = values.python ?? pythonWith(['datasketch', 'numpy'])
  const dir = mkdtempSync(join(values.dir, 'ift-dedup-'))
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
  const file = join(dir, 'rows.jsonl')
  const made = writeNearRows(file, Number(values.rows))
  /** @param {string} command @param {string[]} args */
  const run = (command, args) => {
    const load = loadNow()
    const found = join(dir, 'pairs.json')
    const { status, stdout, error } = spawnSync(command, [...args, '--pairs', found], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    if (error) throw error
    if (status !== 0) throw new Error(`${command} ended with ${status}`)
    /** @type {import('./near-rows.mjs').Pair[]} */
    const pairs = JSON.parse(readFileSync(found, 'utf8'))
    const leftOut = new Set(pairs.map(([, row]) => row))
    const result = {
      ...JSON.parse(stdout.trim().split('\n').at(-1) ?? ''),
      copies_found: made.near.filter(([, row]) => leftOut.has(row)).length,
      load_average: Number(load.toFixed(2)),
    }
    console.error(JSON.stringify(result))
    return { pairs, result }
  }
  const peer = fileURLToPath(new URL('peers/datasketch_dedup.py', import.meta.url))
  const load = loadNow()
  const ift = run(process.execPath, [fileURLToPath(import.meta.url), '--audit', file])
  const same = run(python, [peer, file, '--same'])
  const plain = values.quick ? null : run(python, [peer, file])
  const isSame = JSON.stringify(ift.pairs) === JSON.stringify(same.pairs)
  const result = {
    made_by: `node bench/dedup.mjs --rows ${values.rows}`,
    versions: { ift: version, node: process.version },
    machine: machine(load),
    date: new Date().toISOString().slice(0, 10),
    file_mb: Math.round(statSync(file).size / 1e6),
    copies: { made: made.copies, near: made.near.length },
    ift: ift.result,
    datasketch: plain?.result,
    datasketch_same_hashes: same.result,
    same_pairs: isSame,
    beside_datasketch_same_hashes: await comparePairs(file, ift.pairs, same.pairs),
    beside_datasketch: plain && (await comparePairs(file, ift.pairs, plain.pairs)),
  }
  const text = `${JSON.stringify(result, null, 2)}\n`
  if (values.out !== undefined) writeFileSync(values.out, text)
  console.log(text)
  if (!isSame) process.exitCode = 1
}

// @ts-check
// Rows of instruction data read, rendered, tokenised and labelled by ift and by `datasets` + `tokenizers`, turn about on one machine:
// medians of seconds from command to end, of processor seconds, and of peak memory.
//   node bench/data.mjs [--rows 100000,1000000] [--rounds 3] [--formats jsonl,parquet] [--num-proc 1] [--dir FOLDER] [--python FILE] [--out FILE]
// --num-proc: processes of the peer; of one process, only the tokenizer uses all cores.
// Without --python, the peer is installed beside (peer-packages.mjs). Tokenizer and chat template are those of SmolLM2-135M-Instruct
// (scripts/real-models/fetch smollm2-135m-instruct). A million rows are 0.9 GB, and the folder needs four times as much.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { loadNow, machine } from './machine.mjs'
import { median } from './median.mjs'
import { pythonWith } from './peer-packages.mjs'
import { realModel } from '../scripts/real-models/cache.mjs'
import { writeRows } from './text-rows.mjs'

const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    dir: { type: 'string', default: tmpdir() },
    rows: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '3' },
    formats: { type: 'string', default: 'jsonl,parquet' },
    'num-proc': { type: 'string', default: '1' },
    out: { type: 'string' },
    // One turn of ift, in a process of its own: the file of rows.
    turn: { type: 'string' },
  },
})
const root = fileURLToPath(new URL('..', import.meta.url))
const fetched = realModel('smollm2-135m-instruct')
if (fetched === null) throw new Error('scripts/real-models/fetch smollm2-135m-instruct')
const weights = fetched
const gguf = readdirSync(weights).find((name) => name.endsWith('.gguf')) ?? ''
const maxLength = 2048
const built = (/** @type {string} */ name) =>
  pathToFileURL(join(root, 'packages', name, 'dist/index.js')).href

/**
 * @typedef {{ rows: number, tokens: number, cpu_seconds: number, peak_rss_mib: number }} Counted
 * @typedef {Counted & { seconds: number, load: number, versions?: Record<string, string> }} Turn
 */

async function turn(/** @type {string} */ path) {
  /** @type {typeof import('@ift/core')} */
  const { Ift } = await import(built('core'))
  const data = [{ path }]
  const validation = { size: 0 }
  const config = { weights, template: 'chat', maxLength, data, validation }
  const ift = await Ift.load({ cwd: dirname(path), config })
  const open = await ift.openData()
  const { user, system } = process.cpuUsage()
  /** @type {Counted} */
  const counted = {
    rows: open.data.train.count,
    tokens: open.data.datasets.reduce((sum, { store }) => sum + (store?.tokens ?? 0), 0),
    cpu_seconds: (user + system) / 1e6,
    peak_rss_mib: process.resourceUsage().maxRSS / 1024,
  }
  console.log(JSON.stringify(counted))
  await ift.close()
}

/** @returns {any} the line of JSON that a program ends with, the seconds that it took, and the load before it */
function run(/** @type {string} */ command, /** @type {string[]} */ args) {
  const load = Number(loadNow().toFixed(1))
  const start = performance.now()
  const { status, stdout, error } = spawnSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`)
  return {
    load,
    seconds: (performance.now() - start) / 1000,
    ...JSON.parse(stdout.trim().split('\n').at(-1) ?? ''),
  }
}

async function compare() {
  const python = values.python ?? pythonWith(['datasets', 'tokenizers', 'pyarrow', 'jinja2'])
  const load = loadNow()
  const scratch = mkdtempSync(join(values.dir, 'ift-data-'))
  process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))
  // Where the model's family is found.
  symlinkSync(join(root, 'node_modules'), join(scratch, 'node_modules'))
  const tokenizer = join(scratch, 'tokenizer')
  /** @type {typeof import('@ift/tokenizers')} */
  const { loadTokenizer } = await import(built('tokenizers'))
  await (await loadTokenizer(join(weights, gguf))).save(tokenizer)
  const peer = join(root, 'bench/peers/datasets_tokenizers.py')
  const results = []
  const formats = values.formats.split(',')
  for (const rows of values.rows.split(',').map(Number)) {
    const jsonl = join(scratch, 'rows.jsonl')
    await writeRows(jsonl, rows)
    for (const format of formats) {
      const path = join(scratch, `rows.${format}`)
      if (format === 'parquet') run(python, [peer, '--to-parquet', jsonl, path])
      /** @type {{ ift: Turn[], peer: Turn[] }} */
      const runs = { ift: [], peer: [] }
      for (let round = 0; round < Number(values.rounds); round++) {
        runs.ift.push(run(process.execPath, [fileURLToPath(import.meta.url), '--turn', path]))
        rmSync(join(scratch, '.ift-cache'), { recursive: true, force: true })
        runs.peer.push(run(python, [peer, path, tokenizer, String(maxLength), values['num-proc']]))
      }
      const [own, other] = [runs.ift[0], runs.peer[0]]
      if (!own || !other) throw new Error('--rounds: at least 1')
      if (own.rows !== other.rows || own.tokens !== other.tokens)
        throw new Error(`ift: ${own.rows} rows, ${own.tokens} tokens; peer: ${other.rows}, ${other.tokens}`)
      for (const field of /** @type {const} */ (['seconds', 'cpu_seconds', 'peak_rss_mib'])) {
        const [ift, theirs] = [runs.ift, runs.peer].map((turns) => median(turns.map((one) => one[field])))
        const [a = NaN, b = NaN] = [ift, theirs]
        results.push({
          rows,
          format,
          field,
          ift: +a.toFixed(1),
          peer: +b.toFixed(1),
          'peer / ift': +(b / a).toFixed(2),
        })
      }
      results.push({ rows, format, runs })
    }
    for (const format of new Set(['jsonl', ...formats])) rmSync(join(scratch, `rows.${format}`))
  }
  const table = results.filter((row) => 'field' in row)
  console.log(`median of ${values.rounds} runs each, turn about`)
  console.table(table)
  if (!values.out) return
  /** @type {typeof import('@ift/core')} */
  const { version } = await import(built('core'))
  mkdirSync(dirname(values.out), { recursive: true })
  const runs = results.filter((row) => 'runs' in row)
  const text = JSON.stringify(
    {
      bench: basename(import.meta.url),
      versions: { ift: version, node: process.version },
      num_proc: +values['num-proc'],
      machine: machine(load),
      date: new Date().toISOString().slice(0, 10),
      table,
      runs,
    },
    null,
    1,
  )
  writeFileSync(values.out, `${text}\n`)
}

await (values.turn === undefined ? compare() : turn(values.turn))

#!/usr/bin/env node
// Changes files at random and reads them, in processes that may be lost.
//   node scripts/fuzz/run.mjs [--files 3000] [--seed 1] [--only TARGET] [--reference PYTHON] [--out FILE] [--keep]
// Every file must be read, or refused with an IftError, within 20 s and 2 GB. With a Python that has safetensors, torch, gguf, tokenizers and
// pyarrow, what is read is compared with what these read. The result is JSON on stdout; exit 1 when a file was lost.
import { execFileSync, fork } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Ift, version } from '@ift/core'
import { Random } from './random.mjs'
import { fixtures, rows, runConfig, targets } from './targets.mjs'

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '3000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    reference: { type: 'string' },
    out: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
})
const mostSeconds = 20
const mostBytes = 2e9
const here = fileURLToPath(new URL('.', import.meta.url))
const used = targets.filter(({ name }) => values.only === undefined || name === values.only)
const work = mkdtempSync(join(tmpdir(), 'ift-fuzz-'))
process.env['IFT_FUZZ'] = work
const random = new Random(Number(values.seed))

/** The run that `run` begins from. */
async function makeRun() {
  const dir = join(work, 'run')
  writeFileSync(join(work, 'rows.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'))
  const ift = await Ift.load({ config: runConfig(dir) })
  await (await ift.createTraining()).run()
  await ift.close()
}

/** Puts a seed where it may be changed, and gives the path that is read. @param {import('./targets.mjs').Target['seeds'][number]} seed @param {string} dir */
function place(seed, dir) {
  mkdirSync(dir, { recursive: true })
  if (typeof seed !== 'string') {
    writeFileSync(join(dir, seed.name), seed.content)
    return join(dir, seed.name)
  }
  const from = seed === 'run' ? join(work, 'run') : join(fixtures, seed)
  const to = join(dir, basename(seed))
  cpSync(from, to, { recursive: true })
  return to
}

/** @param {string} path @returns {string[]} */
const filesIn = (path) =>
  statSync(path).isFile()
    ? [path]
    : readdirSync(path, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .sort()

/** A file, or a folder with one changed file, and what was changed. @param {import('./targets.mjs').Target} target @param {string} dir */
function makeCase(target, dir) {
  const path = place(random.pick(target.seeds), dir)
  const changeable = filesIn(path).flatMap((file) => {
    const found = Object.entries(target.files).find(([ending]) => file.endsWith(ending))
    return found ? [{ file, mutate: found[1] }] : []
  })
  if (changeable.length === 0) throw new Error(`nothing of ${path} is changed by ${target.name}`)
  const { file, mutate } = random.pick(changeable)
  writeFileSync(file, mutate(readFileSync(file), random))
  if (basename(file) === 'hashes.json') writeFileSync(join(path, 'hashes changed'), '')
  return { path, changed: basename(file) }
}

/** One process that reads; another takes its place when it is lost. */
class Worker {
  /** @type {import('node:child_process').ChildProcess | null} */
  #child = null

  async #start() {
    const child = fork(join(here, 'worker.mjs'), {
      execArgv: ['--max-old-space-size=1800'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, XDG_CACHE_HOME: join(work, 'cache'), HF_HUB_OFFLINE: '1' },
    })
    this.#child = child
    await new Promise((ready, failed) => child.once('message', ready).once('exit', failed))
    return child
  }

  /** @param {string} target @param {string} path */
  async read(target, path) {
    const child = this.#child ?? (await this.#start())
    let stderr = ''
    const listen = (/** @type {Buffer} */ data) => (stderr = (stderr + data.toString()).slice(-2000))
    child.stderr?.on('data', listen)
    const result = await new Promise((done) => {
      const end = (/** @type {object} */ result) => {
        clearTimeout(timer)
        clearInterval(watch)
        child.off('exit', exited).off('message', answered)
        done(result)
      }
      const exited = (/** @type {number | null} */ code, /** @type {string | null} */ signal) =>
        end({ outcome: 'lost', error: `exit ${code}, signal ${signal}: ${stderr}` })
      const answered = (/** @type {object} */ message) => end(message)
      const timer = setTimeout(() => {
        child.off('exit', exited)
        child.kill('SIGKILL')
        end({ outcome: 'slow', seconds: mostSeconds })
      }, mostSeconds * 1000)
      const watch = setInterval(() => {
        let resident = 0
        try {
          resident =
            Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1024
        } catch {
          // It ended, or there is no such file here; the peak is told with the answer.
        }
        if (resident <= mostBytes) return
        child.off('exit', exited)
        child.kill('SIGKILL')
        end({ outcome: 'large', peak: resident })
      }, 50)
      child.once('exit', exited).once('message', answered)
      child.send({ target, path })
    })
    child.stderr?.off('data', listen)
    if (result.outcome === 'accepted' || result.outcome === 'refused' || result.outcome === 'fault') {
      if (result.peak > mostBytes) result.outcome = 'large'
      // A peak is that of the process: the next one begins anew.
      if (result.peak > mostBytes / 2) this.close()
    } else this.close()
    return result
  }

  close() {
    this.#child?.kill('SIGKILL')
    this.#child = null
  }
}

const total = used.reduce((sum, { weight }) => sum + weight, 0)
/** @type {Record<string, any>} */
const summary = {}
const faults = []
const accepted = []
const start = performance.now()
if (used.some(({ name }) => name === 'run')) await makeRun()
// For models without a tokenizer.
mkdirSync(join(work, 'tokenizer'))
const words = { type: 'WordLevel', vocab: { '<unk>': 0, a: 1, b: 2 }, unk_token: '<unk>' }
writeFileSync(join(work, 'tokenizer/tokenizer.json'), JSON.stringify({ version: '1.0', model: words }))
const worker = new Worker()
let number = 0
for (const target of used) {
  const count = Math.round((Number(values.files) * target.weight) / total)
  for (const seed of target.seeds) {
    const dir = join(work, String(number++))
    const { outcome, error } = await worker.read(target.name, place(seed, dir))
    rmSync(dir, { recursive: true })
    if (outcome !== 'accepted') throw new Error(`a seed of ${target.name} is no good: ${error}`)
  }
  const codes = {}
  const row = {
    files: count,
    accepted: 0,
    refused: 0,
    lost: 0,
    slow: 0,
    large: 0,
    fault: 0,
    slowest: 0,
    peakMB: 0,
    codes,
  }
  summary[target.name] = row
  for (let i = 0; i < count; i++) {
    const dir = join(work, String(number++))
    const { path, changed } = makeCase(target, dir)
    const result = await worker.read(target.name, path)
    row[result.outcome]++
    row.slowest = Math.max(row.slowest, Number((result.seconds ?? 0).toFixed(2)))
    row.peakMB = Math.max(row.peakMB, Math.round((result.peak ?? 0) / 1e6))
    if (result.code) codes[result.code] = (codes[result.code] ?? 0) + 1
    const isFault = !['accepted', 'refused'].includes(result.outcome)
    if (isFault) {
      faults.push({ target: target.name, number: number - 1, changed, ...result })
      process.stderr.write(`${target.name} ${path} (${changed}): ${result.outcome} ${result.error ?? ''}\n`)
    }
    if (result.outcome === 'accepted' && target.reference)
      accepted.push({ reference: target.reference, target: target.name, path, digest: result.digest })
    else if (!(isFault && values.keep)) rmSync(dir, { recursive: true, force: true })
  }
}
worker.close()

/** What another reader says of what was accepted. */
let compared = null
if (values.reference !== undefined) {
  const list = join(work, 'accepted.json')
  writeFileSync(list, JSON.stringify(accepted))
  const lines = execFileSync(values.reference, [join(here, 'reference.py'), list], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  compared = {}
  for (const [i, line] of lines.trim().split('\n').entries()) {
    if (line === '') continue
    const { target, digest, path } = accepted[i]
    const row = (compared[target] ??= { same: 0, differs: 0, refused: 0, reasons: {} })
    const theirs = JSON.parse(line)
    if (theirs.refused !== undefined) {
      row.refused++
      row.reasons[theirs.refused] = (row.reasons[theirs.refused] ?? 0) + 1
    } else if (theirs.digest === digest) row.same++
    else {
      row.differs++
      process.stderr.write(
        `${target} ${path}: ours ${String(digest).slice(0, 200)}, theirs ${theirs.digest.slice(0, 200)}\n`,
      )
    }
  }
}
if (!values.keep) rmSync(work, { recursive: true, force: true })
const result = {
  ift: version,
  node: process.version,
  files: Object.values(summary).reduce((sum, { files }) => sum + files, 0),
  seed: Number(values.seed),
  seconds: Math.round((performance.now() - start) / 1000),
  bounds: { seconds: mostSeconds, bytes: mostBytes },
  ...Object.fromEntries(
    ['accepted', 'refused', 'lost', 'slow', 'large', 'fault'].map((outcome) => [
      outcome,
      Object.values(summary).reduce((sum, row) => sum + row[outcome], 0),
    ]),
  ),
  targets: summary,
  compared,
  faults: faults.map(({ error, ...fault }) => ({ ...fault, error: error?.split('\n')[0] })),
}
const json = JSON.stringify(result, null, 2)
if (values.out === undefined) console.log(json)
else writeFileSync(values.out, `${json}\n`)
process.exitCode = faults.length > 0 ? 1 : 0

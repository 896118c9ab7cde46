// A release: native add-ons built, packages packed, checked, published. Nothing but `publish` leaves this machine.
//
//   node scripts/release.mjs build [--output release/binaries] [--platform NAME]…   add-ons that this machine can build
//   node scripts/release.mjs pack [--binaries release/binaries] [--output release/tarballs] [--partial] [--update]
//   node scripts/release.mjs publish [--from release/tarballs] [--tag latest] [--dry-run]
//
// `pack` builds what is missing in the folder of binaries and refuses a release that lacks a platform, by name; --partial leaves it
// out. IFT_CROSS=1 builds for other systems (scripts/release/build.mjs).
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { addOns, packageOf, wanted } from './release/add-ons.mjs'
import { build, check, obstacle } from './release/build.mjs'
import { compareFileLists } from './release/file-lists.mjs'
import { packPackages, writeHashes } from './release/pack.mjs'
import { publishAll } from './release/publish.mjs'
import { checkPackages } from './check-packages.mjs'
import { root, useOwnTools, workspacePackages } from './workspace.mjs'

useOwnTools()

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    binaries: { type: 'string', default: join(root, 'release', 'binaries') },
    output: { type: 'string' },
    platform: { type: 'string', multiple: true },
    partial: { type: 'boolean', default: false },
    update: { type: 'boolean', default: false },
    from: { type: 'string', default: join(root, 'release', 'tarballs') },
    tag: { type: 'string', default: 'latest' },
    'dry-run': { type: 'boolean', default: false },
  },
})

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`

/** Every file of a whole release: there, built now, or why it is not. */
function gather(folder, isWanted = () => true) {
  return wanted()
    .filter(isWanted)
    .map((one) => {
      const file = join(folder, one.file)
      try {
        if (existsSync(file)) return { ...one, file, ...check(file, one.platform), how: 'was there' }
        const why = obstacle(one.addOn, one.platform)
        if (why !== null) return { ...one, file, missing: why }
        return { ...one, ...build(one.addOn, one.platform, folder), how: 'built here' }
      } catch (error) {
        return { ...one, file, missing: error.message }
      }
    })
}

function table(found) {
  for (const { addOn, platform, bytes, glibc, how, missing } of found)
    console.log(
      [
        packageOf(addOn, platform).padEnd(40),
        ...(missing === undefined
          ? [megabytes(bytes).padStart(8), how, glibc === null ? '' : `glibc ${glibc}`]
          : [`missing: ${missing}`]),
      ].join('  '),
    )
}

/** Packages of a release: without an add-on that no platform has, which nothing else may need. */
function packedNames(built) {
  const all = workspacePackages().filter(({ isPublished }) => isPublished)
  const empty = addOns().filter((addOn) => !built.some((one) => one.addOn.package === addOn.package))
  for (const { package: name } of empty) {
    const dependents = all.filter(({ json }) => json.dependencies?.[name] !== undefined)
    if (dependents.length > 0) {
      console.error(`\n${name} has no platform at all, and ${dependents[0].name} depends on it`)
      process.exit(1)
    }
    console.error(`\nLeft out as a whole: ${name}`)
  }
  return all.map(({ name }) => name).filter((name) => !empty.some((addOn) => addOn.package === name))
}

const isNamed = ({ platform }) => values.platform === undefined || values.platform.includes(platform.name)

const commands = {
  build() {
    const found = gather(resolve(values.output ?? values.binaries), isNamed)
    table(found)
    // Named platforms are wanted; otherwise what this machine cannot build is another machine's work.
    if (found.some(({ missing }) => missing !== undefined && values.platform !== undefined)) process.exit(1)
  },
  async pack() {
    const found = gather(resolve(values.binaries))
    table(found)
    const missing = found.filter((one) => one.missing !== undefined)
    if (missing.length > 0) {
      console.error(
        `\n${values.partial ? 'Left out' : 'Not released, because these are missing'}: ` +
          missing.map(({ addOn, platform }) => packageOf(addOn, platform)).join(', '),
      )
      if (!values.partial) {
        console.error('Put their files into the folder of binaries, or release without them: --partial')
        process.exit(1)
      }
    }
    const built = found.filter((one) => one.missing === undefined)
    const names = packedNames(built)
    const folder = resolve(values.output ?? values.from)
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    const tarballs = packPackages(folder, { built, names })
    writeHashes(folder)
    const changed = compareFileLists(tarballs, { update: values.update })
    if (changed.length > 0) {
      console.error(
        `\nFiles in packages differ from scripts/release/file-lists.txt (--update writes it):\n${changed.join('\n')}`,
      )
      process.exit(1)
    }
    if (!(await checkPackages(tarballs))) process.exit(1)
    console.log(`${tarballs.length} tarballs in ${folder}`)
    console.log(readFileSync(join(folder, 'SHA256SUMS'), 'utf8').trim())
  },
  publish() {
    publishAll(resolve(values.from), { tag: values.tag, isDryRun: values['dry-run'] })
  },
}

const command = commands[positionals[0] ?? '']
if (!command) {
  console.error(`Usage: node scripts/release.mjs ${Object.keys(commands).join(' | ')}`)
  process.exit(1)
}
await command()

// @ts-check
// Publishes tarballs, each after what it depends on and only where its version is not there yet, so that a release that stopped
// goes on. npm publishes: it exchanges the identity of a workflow for a token, and signs the provenance.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { manifestOf } from './tarball.mjs'

const shell = process.platform === 'win32'

/** Tarballs, each behind those that it depends on. @param {readonly string[]} files */
export function inOrder(files) {
  const byName = new Map(files.map((file) => [manifestOf(file).name, file]))
  /** @type {Set<string>} */
  const ordered = new Set()
  /** @param {string} file @param {readonly string[]} above */
  const visit = (file, above) => {
    if (ordered.has(file) || above.includes(file)) return
    const { dependencies, optionalDependencies, peerDependencies } = manifestOf(file)
    for (const name of Object.keys({ ...optionalDependencies, ...dependencies, ...peerDependencies })) {
      const needed = byName.get(name)
      if (needed !== undefined) visit(needed, [...above, file])
    }
    ordered.add(file)
  }
  for (const file of [...files].sort()) visit(file, [])
  return [...ordered]
}

/** @param {string} name @param {string} version */
function isPublished(name, version) {
  const { status, stdout, stderr } = spawnSync('npm', ['view', `${name}@${version}`, 'version', '--json'], {
    encoding: 'utf8',
    shell,
  })
  if (status === 0) return stdout.trim() !== ''
  if (/E404/.test(`${stdout}${stderr}`)) return false
  throw new Error(`npm view ${name} failed: ${stderr}`)
}

/** @param {string} folder @param {{ tag: string, isDryRun: boolean }} options */
export function publishAll(folder, { tag, isDryRun }) {
  const files = readdirSync(folder)
    .filter((file) => file.endsWith('.tgz'))
    .map((file) => join(folder, file))
  for (const file of inOrder(files)) {
    const { name, version } = manifestOf(file)
    if (isPublished(name, version)) {
      console.log(`${name}@${version} is there`)
      continue
    }
    const args = ['publish', file, '--access', 'public', '--tag', tag, ...(isDryRun ? ['--dry-run'] : [])]
    const { status } = spawnSync('npm', args, { stdio: 'inherit', shell })
    if (status !== 0) throw new Error(`${name}@${version} could not be published; run this again to go on`)
  }
}

// @ts-check
// A copy of this checkout, built, in which versions can be raised and packages packed without touching it.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root, workspacePackages } from '../workspace.mjs'
import { addOns } from './add-ons.mjs'

/** @param {string} cwd @param {string[]} args */
function git(cwd, args) {
  const { status, stdout, stderr } = spawnSync('git', args, { cwd, encoding: 'utf8', maxBuffer: 1 << 28 })
  if (status !== 0) throw new Error(`git ${args.join(' ')} failed: ${stderr}`)
  return stdout
}

/** Copies what git knows, and of each package what was built and which packages it sees. @param {string} folder */
export function copyCheckout(folder) {
  const options = { recursive: true, verbatimSymlinks: true }
  for (const file of git(root, ['ls-files', '-z', '--cached', '--others', '--exclude-standard']).split(
    '\0',
  )) {
    const isNeeded = /^(packages|examples|\.changeset)\/|^[^/]+$/.test(file) && existsSync(join(root, file))
    if (!isNeeded) continue
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(root, file), join(folder, file), options)
  }
  for (const { folder: one } of workspacePackages())
    for (const built of ['dist', 'generated', 'node_modules'])
      if (existsSync(join(root, one, built)))
        cpSync(join(root, one, built), join(folder, one, built), options)
  for (const addOn of addOns())
    for (const file of readdirSync(join(root, addOn.folder)).filter((name) => name.endsWith('.node')))
      cpSync(join(root, addOn.folder, file), join(folder, addOn.folder, file))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  git(folder, ['init', '-q', '-b', 'main'])
  commit(folder, 'a copy')
}

/** @param {string} folder @param {string} message */
export function commit(folder, message) {
  git(folder, ['add', '-A'])
  git(folder, ['-c', 'user.name=ift', '-c', 'user.email=ift@localhost', 'commit', '-qm', message])
}

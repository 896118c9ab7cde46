// @ts-check
// The files of every package, committed, so that one which appears or disappears is seen before it is published.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { workspacePackages } from '../workspace.mjs'
import { packageOf, wanted } from './add-ons.mjs'
import { filesOf, manifestOf } from './tarball.mjs'

const snapshot = fileURLToPath(new URL('file-lists.txt', import.meta.url))

/** Names without what a build puts into them: the hash of esbuild, and that of the declarations, in base64url. @param {string} path */
export const withoutHash = (path) =>
  path.replace(/-(?:[A-Z0-9]{8}(?=\.(?:js|css)$)|(?=[\w-]*[A-Z0-9_])[\w-]{8}(?=\.d\.ts$))/, '-*')

/** Files of a package in one line for each, the parts of a build as one. @param {string} file */
const listOf = (file) => [...new Set(filesOf(file).map(withoutHash))].sort()

/** @param {string} text @returns {Map<string, string[]>} */
function parse(text) {
  const lists = new Map()
  for (const line of text.split('\n')) {
    if (line && !line.startsWith(' ')) lists.set(line, [])
    else if (line) [...lists.values()].at(-1)?.push(line.trim())
  }
  return lists
}

/** Files of the packages of platforms, which are alike. */
const platformLists = () =>
  new Map(
    wanted().map(({ addOn, platform, file }) => [
      packageOf(addOn, platform),
      ['LICENSE', 'README.md', file, 'package.json'],
    ]),
  )

/**
 * What differs from the committed lists, a line each. `update` writes the lists instead.
 * @param {readonly string[]} tarballs @param {{ update?: boolean }} [options]
 */
export function compareFileLists(tarballs, { update = false } = {}) {
  /** @type {Map<string, string[]>} */
  const before = existsSync(snapshot) ? parse(readFileSync(snapshot, 'utf8')) : new Map()
  const platforms = platformLists()
  const lists = new Map(tarballs.map((file) => [manifestOf(file).name, listOf(file)]))
  const differences = []
  for (const [name, files] of lists) {
    const known = platforms.get(name) ?? before.get(name) ?? []
    for (const one of files) if (!known.includes(one)) differences.push(`${name}: ${one} is new`)
    for (const one of known) if (!files.includes(one)) differences.push(`${name}: ${one} is gone`)
  }
  if (!update) return differences
  // A part of a release says nothing of the packages that it leaves out.
  const published = new Set(workspacePackages().map(({ name }) => name))
  const kept = [...before].filter(([name]) => published.has(name) && !lists.has(name))
  const all = [...lists, ...kept]
    .filter(([name]) => !platforms.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
  writeFileSync(
    snapshot,
    all.map(([name, files]) => `${name}\n${files.map((one) => `  ${one}\n`).join('')}`).join(''),
  )
  return []
}

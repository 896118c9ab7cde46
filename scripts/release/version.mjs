// @ts-check
// New versions by changesets. All packages have one version. Before 1.0 a minor version of the core leaves the range ^0.n of its plugins,
// which changesets answers with a major version of everything: unless a changeset asks for a major one, it stays at 0.
//
//   node scripts/release/version.mjs [FOLDER]
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { root as repository, workspacePackages } from '../workspace.mjs'

/** Kinds of change that changesets ask for. @param {string} folder @returns {Set<string>} */
function wantedKinds(folder) {
  const files = readdirSync(join(folder, '.changeset')).filter(
    (file) => file.endsWith('.md') && file !== 'README.md',
  )
  const heads = files.map(
    (file) => readFileSync(join(folder, '.changeset', file), 'utf8').split('---')[1] ?? '',
  )
  return new Set(
    heads.flatMap((head) => [...head.matchAll(/: (major|minor|patch)$/gm)].map(([, kind]) => kind ?? '')),
  )
}

/**
 * The version after one of 0.x; null where changesets' own is right: from 1.0 on, and where a major one is asked for.
 * @param {string} version @param {ReadonlySet<string>} kinds
 */
export function nextBefore1(version, kinds) {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number)
  if (major > 0 || kinds.has('major') || kinds.size === 0) return null
  return kinds.has('minor') ? `0.${minor + 1}.0` : `0.${minor}.${patch + 1}`
}

/** A changelog whose newest section is of another version. @param {string} text @param {string} from @param {string} to */
export function renamedSection(text, from, to) {
  const [head = '', newest = '', ...older] = text.split(/^(?=## )/m)
  return [head, newest.replaceAll(from, to), ...older].join('')
}

/** Raises the versions of a checkout. @param {string} [folder] */
export function raiseVersions(folder = repository) {
  const kinds = wantedKinds(folder)
  const before = workspacePackages(folder)
  const changesets = fileURLToPath(new URL('../../node_modules/@changesets/cli/bin.js', import.meta.url))
  const { status } = spawnSync(process.execPath, [changesets, 'version'], {
    cwd: folder,
    stdio: ['ignore', 2, 2],
  })
  if (status !== 0) throw new Error('changeset version failed')
  for (const { folder: one, json } of before) {
    const manifest = join(folder, one, 'package.json')
    const raised = JSON.parse(readFileSync(manifest, 'utf8')).version
    const wanted = json.version === undefined ? null : nextBefore1(json.version, kinds)
    if (wanted === null || raised === json.version || raised === wanted) continue
    writeFileSync(
      manifest,
      readFileSync(manifest, 'utf8').replace(`"version": "${raised}"`, `"version": "${wanted}"`),
    )
    const changelog = join(folder, one, 'CHANGELOG.md')
    if (existsSync(changelog))
      writeFileSync(changelog, renamedSection(readFileSync(changelog, 'utf8'), raised, wanted))
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  raiseVersions(resolve(process.argv[2] ?? repository))

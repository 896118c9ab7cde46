// @ts-check
// What is inside a package's tarball, by the system's tar.
import { spawnSync } from 'node:child_process'

/** @param {string[]} args */
function tar(args) {
  const { status, stdout, stderr, error } = spawnSync('tar', args, { encoding: 'utf8', maxBuffer: 1 << 28 })
  if (error) throw error
  if (status !== 0) throw new Error(`tar ${args.join(' ')} failed: ${stderr}`)
  return stdout
}

/** Paths of a tarball without the folder `package/` around them. @param {string} file */
export const filesOf = (file) =>
  tar(['-tzf', file])
    .split('\n')
    .filter((path) => path && !path.endsWith('/'))
    .map((path) => path.replace(/^[^/]+\//, ''))
    .sort()

/** @type {Map<string, any>} */
const manifests = new Map()

/** package.json of a tarball; each file is read once. @param {string} file */
export function manifestOf(file) {
  if (!manifests.has(file)) manifests.set(file, JSON.parse(tar(['-xzOf', file, 'package/package.json'])))
  return manifests.get(file)
}

/** Unpacks a tarball into a folder, where `package/` appears. @param {string} file @param {string} folder */
export const unpack = (file, folder) => tar(['-xzf', file, '-C', folder])

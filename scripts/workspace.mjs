// @ts-check
// The packages of this repository, found by the patterns of pnpm-workspace.yaml: nothing else lists them.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

/** Where scripts/run.mjs puts pnpm on a machine without one. */
export const toolsFolder = join(root, 'node_modules', '.ift-tools')

/** Programs of that folder are found before others. */
export function useOwnTools() {
  process.env['PATH'] = [join(toolsFolder, 'node_modules', '.bin'), process.env['PATH']].join(delimiter)
}

/**
 * @typedef {object} WorkspacePackage
 * @property {string} folder From the root of the repository, with slashes.
 * @property {string} name
 * @property {boolean} isPublished
 * @property {Record<string, any>} json package.json
 */

/** Patterns under `packages:`, each a folder or all folders inside one (`packages/*`). @param {string} root */
function patterns(root) {
  const lines = readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8').split('\n')
  const start = lines.indexOf('packages:') + 1
  const length = lines.slice(start).findIndex((line) => !line.startsWith('  - '))
  return lines.slice(start, start + length).map((line) => line.slice(4).trim())
}

/** Every package, by folder; of this repository, or of a copy. @param {string} [from] */
export function workspacePackages(from = root) {
  /** @type {WorkspacePackage[]} */
  const found = []
  for (const pattern of patterns(from)) {
    const parent = pattern.replace(/\/\*$/, '')
    const folders =
      pattern === parent ? [parent] : readdirSync(join(from, parent)).map((one) => `${parent}/${one}`)
    for (const folder of folders.sort()) {
      const path = join(from, folder, 'package.json')
      if (!existsSync(path)) continue
      const json = JSON.parse(readFileSync(path, 'utf8'))
      found.push({ folder, name: json.name, isPublished: json.private !== true, json })
    }
  }
  return found
}

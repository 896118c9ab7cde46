// What lies in the `src` of a package, in layers: a file imports from its own folder and from lower ones.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

/** Folders and files in the `src` of a package, from the lowest up. */
export const layers = {
  'packages/tensor/src': [
    'errors',
    'dtype',
    'quantization',
    'backend',
    'tensor',
    'ops',
    'nn',
    'counting',
    'reference',
    'native',
    'testing',
    'index',
  ],
  'packages/core/src': [
    'suggest',
    'version',
    'contract',
    'files',
    'model',
    'source',
    'checkpoint',
    'data',
    'generate',
    'distributed',
    'config',
    'peft',
    'plugin',
    'collection',
    'train',
    'session',
    'ift',
    'testing',
    'index',
  ],
  'packages/cli/src': [
    'version',
    'ui',
    'chart',
    'chat',
    'init',
    'seed',
    'overrides',
    'commands',
    'main',
    'index',
  ],
}

/** The sources of a folder, without tests and what they share. */
const sources = (folder) =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(
      (entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !/\.(test|fixture)\.tsx?$/.test(entry.name),
    )
    .map((entry) => join(entry.parentPath, entry.name))

/** What a file imports, as it is written there. */
export const importsIn = (file) =>
  [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, name]) => name)

/** Every import of the sources of a folder: the file, and the name as it is written. */
export const importsOf = (folder) =>
  sources(folder).flatMap((file) => importsIn(file).map((name) => ({ file, name })))

/** The folder of `src` that a path leads into, or the file itself; null outside of it. */
function place(src, path) {
  const [first] = relative(src, path).split(/[\\/]/)
  return first === '..' ? null : first.replace(/\.[jt]s$/, '')
}

/**
 * The imports that run upwards or touch what no layer names, a line each.
 * @param {string} root
 * @param {Record<string, string[]>} rules folders and files from the lowest up, of each folder of sources
 */
export function upwardImports(root, rules = layers) {
  const faults = []
  for (const [folder, order] of Object.entries(rules)) {
    const src = join(root, folder)
    for (const { file, name } of importsOf(src)) {
      const [from, to] = [
        place(src, file),
        name.startsWith('.') ? place(src, resolve(dirname(file), name)) : null,
      ]
      if (to === null) continue
      const where = `${relative(root, file)} imports ${name}`
      const unnamed = [from, to].find((one) => !order.includes(one))
      if (unnamed !== undefined) faults.push(`${where}: the layers of ${folder} name ${unnamed} nowhere`)
      else if (order.indexOf(to) > order.indexOf(from)) faults.push(`${where}: ${from} lies below ${to}`)
    }
  }
  return faults
}

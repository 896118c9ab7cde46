// Which package may import which of ours.
import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { root, workspacePackages } from '../workspace.mjs'
import { importsOf } from './typescript.mjs'

/** The packages that others are built on, and the command line: what each may import of ours. */
const foundations = {
  '@ift/tensor': [],
  '@ift/core': ['@ift/tensor'],
  ift: ['@ift/core'],
  // The page knows the server's replies by their types.
  '@ift/web': ['@ift/serve'],
  // Its errors are ift's; what it writes is text.
  'create-ift-plugin': ['@ift/tensor'],
}

/** What a package may import of ours by the nouns that it provides: the field "ift" of its package.json says them. */
const byNoun = {
  backend: ['@ift/tensor'],
  tokenizer: ['@ift/core', '@ift/tensor'],
  constraint: ['@ift/core', '@ift/tensor'],
  template: ['@ift/core'],
  model: ['@ift/core', '@ift/tensor', '@ift/tokenizers'],
  peft: ['@ift/core', '@ift/tensor'],
  optimizer: ['@ift/core', '@ift/tensor'],
  dataset: ['@ift/core'],
  export: ['@ift/core', '@ift/tensor'],
  task: ['@ift/core'],
  verb: ['@ift/core', '@ift/tensor'],
}

/**
 * What each package with sources may import of ours, by its folder.
 * @param {readonly Pick<import('../workspace.mjs').WorkspacePackage, 'folder' | 'name' | 'json'>[]} found
 * @returns {Record<string, string[]>}
 */
export function rulesOf(found) {
  const allowed = ({ name, json }) => {
    const nouns = Object.keys(json.ift?.provides ?? {})
    return foundations[name] ?? [...new Set(nouns.flatMap((noun) => byNoun[noun] ?? []))]
  }
  return Object.fromEntries(found.map((one) => [one.folder, allowed(one)]))
}

/** Packages of this repository that have sources. */
const ours = () => workspacePackages().filter(({ folder }) => existsSync(join(root, folder, 'src')))

/**
 * The imports that a package may not have, a line each.
 * @param {string} base
 * @param {Record<string, string[]>} rules what each package may import of ours
 */
export function foreignImports(base, rules = rulesOf(ours())) {
  const faults = []
  for (const [folder, allowed] of Object.entries(rules)) {
    const src = join(base, folder, 'src')
    for (const { file, name } of importsOf(src)) {
      const where = `${relative(base, file)} imports ${name}`
      const owner = /^(@ift\/[^/]+|ift)(\/|$)/.exec(name)?.[1]
      if (owner && !allowed.includes(owner))
        faults.push(`${where}: ${folder} may import ${allowed.join(', ') || 'nothing of ours'}`)
      const isOutside = relative(src, resolve(dirname(file), name)).startsWith('..')
      if (name.startsWith('.') && isOutside && !name.endsWith('package.json'))
        faults.push(`${where}: outside of its package`)
    }
  }
  return faults
}

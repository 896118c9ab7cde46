// The modules of a crate in layers: a module uses itself and lower ones, and those of one folder use each other in no circle.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { passedOnBy, usesOf } from './rust-paths.mjs'

/** The modules of each crate from the lowest up. What lib.rs itself holds lies above them all. */
export const crates = {
  'crates/kernel-abi': [
    'error',
    'dtype',
    'size',
    'attention',
    'buffers',
    'recordings',
    'operands',
    'gemm',
    'low_rank',
  ],
  'crates/collectives': ['reduction', 'element', 'library', 'mpi', 'nccl'],
  'packages/kernels-cpu/native': [
    'profile',
    'available',
    'affinity',
    'faults',
    'element',
    'dtype',
    'isa',
    'math',
    'row',
    'pool',
    'gemm',
    'attention',
    'mapped',
    'arena',
    'queue',
    'memory',
    'device',
    'quantized',
    'roofs',
    'node',
    'comm',
    'kernels',
  ],
  'packages/kernels-cuda/native': [
    'profile',
    'plan',
    'driver',
    'arena',
    'launch',
    'queue',
    'device',
    'node',
    'comm',
    'kernels',
  ],
  'packages/constraints/native': ['vocabulary', 'constraint', 'node'],
  'packages/tokenizers/native': [
    'sample_texts',
    'characters',
    'scan',
    'cut',
    'offsets',
    'words',
    'pool',
    'byte_level',
    'encoder',
    'node',
  ],
}

/** The folders that hold a crate of the workspace. */
const cratesIn = (root) =>
  ['crates/*', 'packages/*/native']
    .flatMap((pattern) => {
      const [parent, rest] = pattern.split('*')
      const folders = existsSync(join(root, parent)) ? readdirSync(join(root, parent)) : []
      return folders.map((folder) => `${parent}${folder}${rest}`)
    })
    .filter((folder) => existsSync(join(root, folder, 'Cargo.toml')))

/** The modules of a crate by their paths, without tests, and what its root passes on. */
function readCrate(src) {
  const modules = new Map()
  const passedOn = new Map()
  for (const entry of readdirSync(src, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.rs')) continue
    const file = join(entry.parentPath, entry.name)
    const path = relative(src, file).slice(0, -'.rs'.length).split(sep)
    if (['mod', 'lib', 'main'].includes(path.at(-1))) path.pop()
    if (path.includes('tests')) continue
    const text = readFileSync(file, 'utf8')
    modules.set(path.join('::'), { file, path, text })
    for (const [name, from] of passedOnBy(text, path)) passedOn.set(name, from)
  }
  return { modules, passedOn }
}

/** One circle of a graph, closed, or null. */
function circle(graph) {
  const done = new Set()
  const visit = (node, trail) => {
    if (trail.includes(node)) return [...trail.slice(trail.indexOf(node)), node]
    if (done.has(node)) return null
    for (const next of graph.get(node) ?? []) {
      const found = visit(next, [...trail, node])
      if (found) return found
    }
    done.add(node)
    return null
  }
  for (const node of graph.keys()) {
    const found = visit(node, [])
    if (found) return found
  }
  return null
}

/**
 * What modules use that does not lie below them, a line each.
 * @param {string} root
 * @param {Record<string, string[]>} rules the modules of each crate from the lowest up
 */
export function upwardModules(root, rules = crates) {
  const faults = cratesIn(root)
    .filter((folder) => !(folder in rules))
    .map((folder) => `${folder}: its modules have no layers`)
  for (const [folder, order] of Object.entries(rules)) {
    const { modules, passedOn } = readCrate(join(root, folder, 'src'))
    for (const name of modules.keys())
      if (name && !name.includes('::') && !order.includes(name))
        faults.push(`${folder}: the layers name ${name} nowhere`)

    /** Of every module with children: which of them uses which. */
    const families = new Map()
    for (const { file, path: from, text } of modules.values()) {
      if (!from.length) continue
      for (const { path, line } of usesOf(text, from)) {
        const where = `${relative(root, file)}:${line} uses ${path.join('::') || 'the root of its crate'}`
        const to = modules.has(path[0]) ? path : passedOn.get(path[0])
        if (!to) faults.push(`${where}: ${from[0]} lies below lib.rs`)
        else if (order.indexOf(to[0]) > order.indexOf(from[0]))
          faults.push(`${where}: ${from[0]} lies below ${to[0]}`)
        const fork = from.findIndex((part, depth) => part !== to?.[depth])
        // Layers bind what lies beside each other in the crate itself; a parent and its children are one thing.
        if (fork < 1 || !modules.has(to.slice(0, fork + 1).join('::'))) continue
        const parent = from.slice(0, fork).join('::')
        if (!families.has(parent)) families.set(parent, new Map())
        const family = families.get(parent)
        if (!family.has(from[fork])) family.set(from[fork], new Set())
        family.get(from[fork]).add(to[fork])
      }
    }
    for (const [parent, family] of families) {
      const found = circle(family)
      if (found)
        faults.push(`${folder}: modules of ${parent} use each other in a circle: ${found.join(' → ')}`)
    }
  }
  return faults
}

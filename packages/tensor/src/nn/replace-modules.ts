import type { Child } from './module.js'
import { Module } from './module.js'

/**
 * Puts `wrap(module, path)` in the place of every module below `root` that matches, and gives their paths. A module
 * that stands in two places is wrapped once. Modules inside a wrapper are not searched again.
 */
export function replaceModules(
  root: Module,
  match: (path: string, module: Module) => boolean,
  wrap: (module: Module, path: string) => Module,
): string[] {
  const found: { path: string; child: Child }[] = []
  const search = (parent: Module, prefix: string): void => {
    for (const child of parent.children()) {
      const path = prefix === '' ? child.name : `${prefix}.${child.name}`
      if (match(path, child.module)) found.push({ path, child })
      search(child.module, path)
    }
  }
  search(root, '')
  const wrapped = new Map<Module, Module>()
  for (const { path, child } of found) {
    let wrapper = wrapped.get(child.module)
    if (wrapper === undefined) wrapped.set(child.module, (wrapper = wrap(child.module, path)))
    child.replace(wrapper)
  }
  return found.map(({ path }) => path)
}

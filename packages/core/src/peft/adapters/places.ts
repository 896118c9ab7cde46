import type { Child, Module } from '@ift/tensor'

/** Every place of a module tree by its path, without what lies below places that `enter` refuses. */
export function placesOf(
  root: Module,
  enter: (path: string, module: Module) => boolean = () => true,
): Map<string, Child> {
  const places = new Map<string, Child>()
  const walk = (parent: Module, prefix: string) => {
    for (const child of parent.children()) {
      const path = prefix === '' ? child.name : `${prefix}.${child.name}`
      places.set(path, child)
      if (enter(path, child.module)) walk(child.module, path)
    }
  }
  walk(root, '')
  return places
}

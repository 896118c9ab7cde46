import { relative } from 'node:path'
import type { OpenModel } from '@ift/core'

/** A model in one line: its name, the adapter on it, and the template that it is spoken to with. */
export function modelLine({ name, adapterDir, template }: OpenModel, cwd = process.cwd()): string {
  const near = (dir: string) => {
    const path = relative(cwd, dir)
    return path === '' || path.startsWith('..') ? dir : path
  }
  return [
    `model: ${name}`,
    ...(adapterDir === null ? [] : [`adapter: ${near(adapterDir)}`]),
    `template: ${template.name}`,
  ].join(', ')
}

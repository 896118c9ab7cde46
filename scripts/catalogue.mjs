// @ts-check
// Joins what the published packages say of themselves (the field "ift" of package.json) into a file of core, so that an error
// can say what to install. Core's build runs it, and vitest before the tests.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root, workspacePackages } from './workspace.mjs'

/** `packages/core/src/plugin/catalogue.ts` reads it. */
const file = join(root, 'packages/core/generated/catalogue.json')

export function setup() {
  const packages = workspacePackages()
    .filter(({ isPublished, json }) => isPublished && json.ift?.provides)
    .map(({ name, json }) => ({ package: name, description: json.description, provides: json.ift.provides }))
    .sort((a, b) => (a.package < b.package ? -1 : 1))
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(packages, null, 2)}\n`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setup()

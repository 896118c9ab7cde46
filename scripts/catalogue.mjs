// @ts-check
// Joins what the published packages say of themselves (the field "ift" of package.json, and card.json of dataset packages) into a
// file of core, so that an error can say what to install. Core's build runs it, and vitest before the tests.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root, workspacePackages } from './workspace.mjs'

/** `packages/core/src/plugin/catalogue.ts` reads it. */
const file = join(root, 'packages/core/generated/catalogue.json')

export function setup() {
  const packages = workspacePackages()
    .filter(({ isPublished, json }) => isPublished && json.ift?.provides)
    .map(({ name, folder, json }) => {
      const card = join(root, folder, 'card.json')
      return {
        package: name,
        description: json.description,
        provides: json.ift.provides,
        ...(existsSync(card) ? { card: JSON.parse(readFileSync(card, 'utf8')) } : {}),
      }
    })
    .sort((a, b) => (a.package < b.package ? -1 : 1))
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(packages, null, 2)}\n`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setup()

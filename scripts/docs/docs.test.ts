import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { Ift, optionRows } from '@ift/core'
import { toJSONSchema, type ZodType } from '@ift/core/options'
import { configurationPage } from './configuration.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))

test('docs/configuration.md is what the declarations say (node scripts/docs.mjs)', () => {
  expect(readFileSync(`${root}docs/configuration.md`, 'utf8')).toBe(configurationPage(optionRows()))
})

test('docs/optimizers.md has every optimizer of core with its options', async () => {
  const page = readFileSync(`${root}docs/optimizers.md`, 'utf8')
  const builtin = await Ift.using({ config: {} }, (ift) =>
    Promise.all(ift.hooks.optimizer.names().map((name) => ift.optimizer(name))),
  )
  expect(builtin.map(({ name }) => name)).toEqual(['adafactor', 'adamw', 'lion'])
  for (const { name, options } of builtin) {
    const section = page.split(`### \`${name}\``)[1]!.split('\n#')[0]!
    const { properties = {} } = toJSONSchema(options as ZodType, { io: 'input' })
    const rows = Object.entries(
      properties as Record<string, { default?: unknown; description?: string }>,
    ).map(
      ([option, { default: value, description }]) =>
        `| \`${option}\` | ${value === undefined ? '' : `\`${JSON.stringify(value)}\``} | ${description} |`,
    )
    expect(section.match(/^\| `.*$/gm), name).toEqual(rows)
  }
})

test('docs/errors.md has every code, and no other', () => {
  const codes = new Set<string>()
  const entries = ['packages', 'crates'].flatMap((folder) =>
    readdirSync(`${root}${folder}`, { recursive: true, withFileTypes: true }),
  )
  for (const entry of entries) {
    const path = `${entry.parentPath}/${entry.name}`
    if (!entry.isFile() || !/\/src\/.*\.(ts|rs)$|\/native\/.*\.rs$/.test(path)) continue
    if (/\.test\.ts$|node_modules|\/tests?[./]|build\.rs$/.test(path)) continue
    // Environment variables of the builds and drivers look like codes.
    const text = readFileSync(path, 'utf8').replaceAll(/\b(var|var_os|env)\(['"]IFT_\w+['"]/g, '')
    for (const [, code] of text.matchAll(/['"](IFT_[A-Z0-9_]+)['"]/g)) codes.add(code!)
  }
  const namesIn = (page: string) =>
    new Set(
      [...readFileSync(`${root}docs/${page}`, 'utf8').matchAll(/`(IFT_[A-Z0-9_]+)`/g)].map(
        (match) => match[1]!,
      ),
    )
  const documented = namesIn('errors.md')
  // Environment variables of ranks, read through a table, of the server and of evaluation stand on pages of their own.
  const variables = new Set(
    ['distributed.md', 'serving.md', 'evaluation.md'].flatMap((name) => [...namesIn(name)]),
  )
  expect([...codes].filter((code) => !documented.has(code) && !variables.has(code)).sort()).toEqual([])
  expect([...documented].filter((code) => !codes.has(code)).sort()).toEqual([])
})

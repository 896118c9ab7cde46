import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import * as core from '@ift/core'
import { cells, fences, sections } from './markdown.mjs'
import { examples, namedTemplates, templatesPage } from './templates.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(`${root}docs/templates.md`, 'utf8')
const templates = await namedTemplates(
  core,
  async (family) => (await import(`${root}packages/${family}/src/index.ts`)) as { plugin: core.IftPlugin },
)

// Inside the repository, where a plugin finds its packages.
mkdirSync(join(root, 'runs'), { recursive: true })
const dir = mkdtempSync(join(root, 'runs', 'docs-templates-'))
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})

test('docs/templates.md has what the templates write (node scripts/docs.mjs)', () => {
  expect(page).toBe(templatesPage(page, templates))
})

test('its examples are those that are rendered', () => {
  const blocks = fences(sections(page).get('What each writes')!)
  expect(blocks.map(({ text }) => JSON.parse(text) as unknown)).toEqual(examples)
})

test('its table names every template with its package', () => {
  const rows = cells(sections(page).get('Templates')!).slice(1)
  const named = rows.flatMap(([names, from]) =>
    [...names!.matchAll(/`(\w+)`/g)].map(([, name]) => `${name!} ${from!.replaceAll('`', '')}`),
  )
  expect(named.filter((line) => !line.startsWith('chat ')).sort()).toEqual(
    templates.map(({ template, package: home }) => `${template.name} ${home}`).sort(),
  )
})

test('the template that it shows how to write works', async () => {
  const [plugin, config] = fences(sections(page).get('Writing one')!)
  writeFileSync(join(dir, 'shout.mjs'), plugin!.text)
  writeFileSync(join(dir, 'ift.config.yaml'), config!.text)
  const session = await core.Ift.load({ cwd: dir })
  const shout = await session.template(session.config.template!)
  const text = (trained: boolean) =>
    shout
      .render(examples[1], 'assistant')
      .filter((segment) => segment.trained === trained)
      .map((segment) => segment.text)
      .join('|')
  expect(text(true)).toBe(' In Switzerland.|eos| In Austria.|eos')
  expect(text(false)).toBe('Be brief.\n\n|Q: |Where is Bern?|\n|A:|\n\n|Q: |And Graz?|\n|A:')
  await session.close()
})

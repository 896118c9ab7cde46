// @ts-check
// Writes docs/configuration.md from the declarations of the options (packages/core/src/config/schema.ts), docs/datasets.md and its
// translation from the cards of the dataset packages, and the renderings in docs/templates.md from the templates.
//   npm run build && node scripts/docs.mjs
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configurationPage } from './docs/configuration.mjs'
import { datasetsPage, pageLanguages } from './docs/datasets.mjs'
import { namedTemplates, templatesPage } from './docs/templates.mjs'

const core = await import('@ift/core')
const pageOf = (/** @type {string} */ name) => fileURLToPath(new URL(`../docs/${name}`, import.meta.url))
/** @param {string} name @param {string} text */
const write = (name, text) => {
  writeFileSync(pageOf(name), text)
  console.log(pageOf(name))
}

write('configuration.md', configurationPage(core.optionRows()))
const datasets = core.catalogueDatasets(core.catalogue())
for (const code of pageLanguages)
  write(code === 'en' ? 'datasets.md' : `datasets.${code}.md`, datasetsPage(datasets, code))
const templates = await namedTemplates(core, (family) => import(`@ift/${family}`))
write('templates.md', templatesPage(readFileSync(pageOf('templates.md'), 'utf8'), templates))

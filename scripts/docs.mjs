// @ts-check
// Writes docs/configuration.md from the declarations of the options (packages/core/src/config/schema.ts).
//   npm run build && node scripts/docs.mjs
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configurationPage } from './docs/configuration.mjs'

const { optionRows } = await import('@ift/core')
const file = fileURLToPath(new URL('../docs/configuration.md', import.meta.url))
writeFileSync(file, configurationPage(optionRows()))
console.log(file)

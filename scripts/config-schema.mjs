// JSON Schema of the config file, for editors: packages/core/dist/config.schema.json, out of the declarations in the built core.
//   node scripts/config-schema.mjs
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configJsonSchema } from '../packages/core/dist/index.js'

const file = fileURLToPath(new URL('../packages/core/dist/config.schema.json', import.meta.url))
writeFileSync(file, `${JSON.stringify(configJsonSchema(), null, 2)}\n`)

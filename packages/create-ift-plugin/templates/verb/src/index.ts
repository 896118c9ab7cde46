import { resolve } from 'node:path'
import { defineVerb } from '@ift/core'
import { countFields } from './count-fields.js'

export const plugin = defineVerb({
  name: '__name__',
  description: 'Count the records of data files and the fields that they have.',
  example: 'npx ift __name__ rows.jsonl',
  operands: { files: { description: 'files of records', required: true, several: true } },
  options: {
    least: { type: 'integer', min: 1, default: 1, description: 'leave out fields of fewer records' },
    json: { type: 'boolean', description: 'print the result as JSON' },
  },
  async run({ terminal, cwd, operands: { files }, options: { least, json } }) {
    const { records, fields } = await countFields(files.map((file) => resolve(cwd, file)))
    const found = Object.entries(fields).filter(([, count]) => count >= least)
    if (json) terminal.json({ records, fields: Object.fromEntries(found) })
    else
      terminal.table(
        found.map(([field, count]) => [field, String(count)] as const),
        `${records} records`,
      )
    return 0
  },
})

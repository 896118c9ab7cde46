import { boolean, enum as oneOfTexts, number, strictObject } from '@ift/core/options'

const limit = number().int().positive().optional()

/** What every set of tables takes in the config. */
export const tableOptions = strictObject({
  format: oneOfTexts(['markdown', 'html']).default('markdown').describe('How tables are written.'),
  rows: limit.describe('Rows of a table at most, beside those that the set marks as the ones that matter.'),
  characters: limit.describe('Characters of a table at most; rows are left out from the end.'),
})

/** Some tables of TabMCQ have hundreds of rows. */
export const tabmcqOptions = tableOptions.extend({ rows: number().int().positive().default(50) })

export const tabmwpOptions = tableOptions.extend({
  solution: boolean().default(true).describe('Whether the answer stands behind its solution, or alone.'),
})

export const tabfactOptions = tableOptions.extend({
  verdict: oneOfTexts(['words', 'truth'])
    .default('words')
    .describe('Answers are "entailed" and "refuted", or "True" and "False".'),
})

// @ts-check

/** @typedef {import('@ift/core').OptionRow} OptionRow */

const cell = (/** @type {string} */ text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
const code = (/** @type {unknown} */ value) =>
  value === undefined ? '' : `\`${cell(JSON.stringify(value))}\``

/** @param {readonly OptionRow[]} rows */
const table = (rows) =>
  [
    '| option | type | default | |',
    '|---|---|---|---|',
    ...rows.map(
      ({ path, type, default: value, description }) =>
        `| \`${path}\` | ${cell(type)} | ${code(value)} | ${cell(description)} |`,
    ),
  ].join('\n')

/** @param {readonly OptionRow[]} rows @returns {string} the page, one table for the top and one for each part */
export const configurationPage = (rows) => {
  const parts = [
    ...new Set(rows.map(({ path }) => (path.includes('.') ? path.slice(0, path.indexOf('.')) : ''))),
  ]
  const sections = parts
    .sort((a, b) => Number(a !== '') - Number(b !== ''))
    .map((part) => {
      const own = rows.filter(({ path }) => (part ? path.startsWith(`${part}.`) : !path.includes('.')))
      return `${part ? `## \`${part}\`\n\n` : ''}${table(own)}\n`
    })
  return `# Configuration

A config is the default export or the object in \`ift.config.{json,yaml,ts,js,mjs}\`, \`.iftrc\` or the \`ift\` field of
package.json, in the folder of the command or above it. Relative paths in it are relative to its folder. Every option is
also a flag: \`--train.epochs 2\`. An unknown option is an error that names the nearest known one. Editors read the
options from the JSON Schema that \`npx ift init\` refers to.

Made by \`node scripts/docs.mjs\` from the declarations in \`packages/core/src/config/schema.ts\`. The options of \`peft\`
beside \`method\` are those of the method's package.

${sections.join('\n')}`
}

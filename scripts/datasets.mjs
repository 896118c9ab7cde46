// @ts-check
// What every dataset package has alike, made from its card.json: package.json, README.md, LICENSE, tsconfig.json, tsup.config.ts.
//   node scripts/datasets.mjs
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from './workspace.mjs'

const parent = 'packages/datasets'
const repository = 'https://github.com/ift-dev/ift'

/** Folders of dataset packages, from the root. */
export const datasetFolders = () =>
  readdirSync(join(root, parent))
    .filter((name) => existsSync(join(root, parent, name, 'card.json')))
    .sort()
    .map((name) => `${parent}/${name}`)

/** In place of a licence that nobody states. */
const noLicense = 'none stated'

const count = (/** @type {{ count: number, unit: string, by?: string }} */ { count, unit, by }) =>
  `${count.toLocaleString('en')} ${unit}${by === undefined ? '' : by === 'counted' ? ', counted from the files' : ` (${by})`}`

/**
 * @param {any} card
 * @param {string} folder
 * @param {string} version
 */
function packageJson(card, folder, version) {
  const datasets = Object.entries(card.datasets)
  const provides = datasets.map(([name, one]) => {
    const size = one.size ?? (datasets.length === 1 ? card.size : undefined)
    const tags = one.tags ?? card.tags
    return [
      name,
      {
        description: one.description,
        license: (one.license ?? card.license).id,
        tags,
        ...(size && { size: { count: size.count, unit: size.unit } }),
      },
    ]
  })
  return {
    name: `@ift/dataset-${card.name}`,
    version,
    description: `${card.title} for ift: ${card.description}`,
    keywords: ['ift', 'ift-plugin', card.name, 'dataset', 'instruction-tuning', 'fine-tuning', 'llm'],
    license: 'Apache-2.0',
    repository: { type: 'git', url: `git+${repository}.git`, directory: folder },
    homepage: `${repository}/tree/main/${folder}#readme`,
    bugs: `${repository}/issues`,
    type: 'module',
    sideEffects: false,
    engines: { node: '>=20.19' },
    ift: { provides: { dataset: Object.fromEntries(provides) } },
    exports: {
      '.': { types: './dist/index.d.ts', default: './dist/index.js' },
      './card.json': './card.json',
      './package.json': './package.json',
    },
    files: ['dist', 'card.json'],
    scripts: { build: 'tsup' },
    peerDependencies: { '@ift/core': 'workspace:^' },
    devDependencies: { '@ift/core': 'workspace:^' },
    publishConfig: { access: 'public' },
  }
}

/** @param {any} license */
const licenceTerms = ({ terms = [], commercial }) =>
  (terms.length > 0 ? `, with the terms of ${terms.join(' and ')}` : '') +
  (commercial === false ? ', not for commercial use' : '')

/**
 * The datasets of a package. Where others published each of them, their places, sizes and licences stand beside them.
 * @param {any} card
 */
function table(card) {
  const datasets = Object.entries(card.datasets)
  if (!datasets.some(([, one]) => one.license))
    return [
      '| name | |',
      '|---|---|',
      ...datasets.map(
        ([name, one]) => `| \`${name}\` | ${one.description}${one.size ? ` ${count(one.size)}.` : ''} |`,
      ),
    ]
  const rows = datasets.map(([name, one]) => {
    const [from] = one.upstream ?? card.upstream
    const link = from.url ?? `https://huggingface.co/datasets/${from.hub}`
    const size = one.size ? count(one.size) : ''
    const license = one.license ?? card.license
    return `| [\`${name}\`](${link}) | ${one.description} | ${size} | ${license.id}${licenceTerms(license)} |`
  })
  return ['| name | | size | licence |', '|---|---|---|---|', ...rows]
}

/** @param {any} card */
function readme(card) {
  const { license, upstream } = card
  const own = Object.values(card.datasets)
  const [first] = Object.keys(card.datasets)
  const hub = upstream.find((/** @type {any} */ one) => one.hub)?.hub
  const link =
    upstream.find((/** @type {any} */ one) => one.url)?.url ?? `https://huggingface.co/datasets/${hub}`
  const files = [...upstream, ...own.flatMap((one) => one.upstream ?? [])].flatMap((/** @type {any} */ one) =>
    (one.files ?? []).map((/** @type {any} */ file) => file.path),
  )
  const shown = files.slice(0, 3).join(', ') + (files.length > 3 ? ', …' : '')
  const place = files.length > 0 ? `The folder of its files (${shown})` : 'The folder of its files'
  const facts = [
    card.size && `${count(card.size)}.`,
    card.citation && `${card.citation}.`,
    own.every((one) => one.license)
      ? 'Each set has its own licence; no data is in this package.'
      : `${license.id === noLicense ? 'No licence of the data is stated' : `The data is under ${license.id}`}${licenceTerms(license)}; it is not in this package.`,
  ]
  const list = [
    ...[card, ...own].flatMap((one) => [
      ...(one.contains ?? []).map((/** @type {string} */ held) => `Holds ${held}.`),
      ...(one.evaluation ?? []).map(
        (/** @type {string} */ held) => `Holds data that others evaluate on: ${held}.`,
      ),
      ...(one.warnings ?? []),
    ]),
  ]
  const parts = [
    `# @ift/dataset-${card.name}`,
    `[${card.title}](${link}) for [ift](${repository}#readme): ${card.description}`,
    facts.filter(Boolean).join(' '),
    table(card).join('\n'),
    `\`\`\`sh\nnpm install ift @ift/dataset-${card.name}\n\`\`\``,
    [
      '```ts',
      '// ift.config.ts',
      'export default {',
      `  // ${place}${hub ? `; without a path it comes from the hub, ${hub}` : ''}.`,
      `  data: { name: '${first}', path: './data' },`,
      '}',
      '```',
    ].join('\n'),
    ...(card.notes ?? []),
    ...(list.length > 0 ? [list.map((one) => `* ${one}`).join('\n')] : []),
  ]
  return `${parts.join('\n\n')}\n`
}

/**
 * The files of a package as they should be, by name. A package keeps the version that it has.
 * @param {string} folder
 * @returns {Record<string, string>}
 */
export function generatedFiles(folder) {
  const at = (/** @type {string} */ name) => join(root, folder, name)
  const card = JSON.parse(readFileSync(at('card.json'), 'utf8'))
  const version = existsSync(at('package.json'))
    ? JSON.parse(readFileSync(at('package.json'), 'utf8')).version
    : '0.1.0'
  return {
    'package.json': `${JSON.stringify(packageJson(card, folder, version), null, 2)}\n`,
    'README.md': readme(card),
    LICENSE: readFileSync(join(root, 'LICENSE'), 'utf8'),
    'tsconfig.json': '{\n  "extends": "../../../tsconfig.base.json",\n  "include": ["src"]\n}\n',
    'tsup.config.ts':
      "import { packageBuild } from '../../../tsup.base.js'\n\nexport default packageBuild()\n",
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const folder of datasetFolders())
    for (const [name, text] of Object.entries(generatedFiles(folder)))
      writeFileSync(join(root, folder, name), text)

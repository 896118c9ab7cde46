// @ts-check
// The renderings in docs/templates.md are what the templates write.
import { readdirSync } from 'node:fs'

/**
 * @typedef {import('@ift/core').PromptTemplate} PromptTemplate
 * @typedef {import('@ift/core').Segment} Segment
 * @typedef {{ readonly template: PromptTemplate, readonly package: string }} Named
 */

/** Around what is learned. */
const [open, close] = ['⟦', '⟧']

/** Of the two special tokens that templates name without spelling them. */
const spelled = new Map([
  ['bos', '<s>'],
  ['eos', '</s>'],
])

/** @param {readonly Segment[]} segments */
const shown = (segments) =>
  segments
    .map(({ text, special, trained }) => ({ text: special ? (spelled.get(text) ?? text) : text, trained }))
    .reduce((whole, { text, trained }) => `${whole}${trained ? `${open}${text}${close}` : text}`, '')
    .replaceAll(`${close}${open}`, '')

/** An instruction with an input, and a conversation of two rounds. */
export const examples = /** @type {const} */ ([
  { instruction: 'Translate into French.', input: 'Good morning', output: 'Bonjour' },
  {
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Where is Bern?' },
      { role: 'assistant', content: 'In Switzerland.' },
      { role: 'user', content: 'And Graz?' },
      { role: 'assistant', content: 'In Austria.' },
    ],
  },
])

/**
 * Every template by the package that has it: those of core, then those of the families.
 * @param {typeof import('@ift/core')} core
 * @param {(family: string) => Promise<{ plugin: import('@ift/core').IftPlugin }>} load
 * @returns {Promise<Named[]>}
 */
export async function namedTemplates(core, load) {
  const families = readdirSync(new URL('../../packages', import.meta.url)).filter((name) =>
    name.startsWith('model-'),
  )
  const found = core.builtinTemplates.map((template) => ({ template, package: '@ift/core' }))
  for (const family of families.sort()) {
    const session = await core.Ift.load({ config: {}, plugins: [(await load(family)).plugin] })
    for (const name of session.hooks.template.names()) {
      const template = session.hooks.template.find(name)
      if (template) found.push({ template, package: `@ift/${family}` })
    }
    await session.close()
  }
  return found
}

const begin = '<!-- renderings, made by node scripts/docs.mjs -->'
const end = '<!-- end of renderings -->'

/**
 * The page with its renderings made anew.
 * @param {string} page @param {readonly Named[]} templates @returns {string}
 */
export function templatesPage(page, templates) {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`docs/templates.md lacks ${begin} or ${end}`)
  const parts = templates.map(({ template, package: home }) => {
    const blocks = examples.map(
      (example) => `\`\`\`text\n${shown(template.render(example, 'assistant'))}\n\`\`\``,
    )
    return `### \`${template.name}\`\n\n\`${home}\`\n\n${blocks.join('\n\n')}\n`
  })
  return `${page.slice(0, from)}${begin}\n\n${parts.join('\n')}\n${page.slice(to)}`
}

// @ts-check
// What messages and pages tell a reader to type, and whether it is there.
import ts from 'typescript'

/**
 * @typedef {{ readonly text: string, readonly line: number }} Text
 * @typedef {object} Known
 * @property {ReadonlyMap<string, ReadonlySet<string>>} verbs the flags of each verb, without those of the config
 * @property {ReadonlySet<string>} options paths of the config's options, with those of methods
 * @property {ReadonlySet<string>} actions words behind `npx ift data`
 * @property {ReadonlySet<string>} packages
 * @property {(page: string) => boolean} hasPage
 */

/**
 * Whether a path is an option, lies in one that is an object, or is a section of options.
 * @param {string} path
 * @param {ReadonlySet<string>} options
 */
const isOption = (path, options) => {
  const keys = path.split('.')
  return (
    keys.some((_, i) => options.has(keys.slice(0, i + 1).join('.'))) ||
    [...options].some((option) => option.startsWith(`${path}.`))
  )
}

/** Texts of a TypeScript source; … stands for what is put into a template. @param {string} source @returns {Text[]} */
export function literals(source) {
  const file = ts.createSourceFile('source.ts', source, ts.ScriptTarget.Latest, true)
  /** @type {Text[]} */
  const found = []
  const add = (/** @type {ts.Node} */ node, /** @type {string} */ text) =>
    found.push({ text, line: file.getLineAndCharacterOfPosition(node.getStart()).line + 1 })
  /** @param {ts.Node} node */
  const visit = (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return
    // Flags of another program's command line are lists of words.
    if (
      ts.isArrayLiteralExpression(node) &&
      node.elements.some((one) => ts.isStringLiteral(one) && /^-/.test(one.text))
    )
      return
    if (ts.isStringLiteralLike(node)) add(node, node.text)
    else if (ts.isTemplateExpression(node))
      add(node, node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join(''))
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

/** Command lines of other programs, whose flags are not ours; what they start with `npx ift` is. */
const foreign =
  /\b(?:mpirun|srun|torchrun|pnpm|npm|node|cargo|cmake|python\S*|apt-get|nvidia-smi|taskset|vllm|llama-server|llama-cli|mlx_lm\.\w+)\b(?:(?!npx ift)[^`\n;])*/g

/** A name of the config, or of an entry of `data`, is an option too. */
const parts = ['train', 'validation', 'generate', 'ranks', 'peft']
const fileNames = /^(?:jsonl?|ts|js|mjs|md|csv|tsv|parquet|yaml|txt|bin|py|fixture|test)$/

/**
 * What a text mentions and is not there.
 * @param {string} text @param {Known} known @returns {string[]}
 */
export function faults(text, known) {
  const wrong = []
  const anyVerb = new Set([...known.verbs.values()].flatMap((flags) => [...flags]))
  const isFlag = (/** @type {string} */ name, /** @type {ReadonlySet<string>} */ own) =>
    own.has(name) ||
    known.options.has(name) ||
    parts.includes(name) ||
    // Options of the optimizer that is named.
    name.startsWith('train.optimizer.')
  const flagsOf = (/** @type {string} */ line) =>
    [...line.matchAll(/(?<![\w-])--([a-zA-Z][\w.-]*\w|[a-zA-Z])/g)].map(([, name]) => name ?? '')
  for (const line of text.replaceAll(foreign, ' ').split('\n')) {
    const commands = line.split(/(?=npx ift )/)
    for (const command of commands) {
      const [, verb, next] = /^npx ift ([a-z]+)(?: +(\S+))?/.exec(command) ?? []
      const own = verb === undefined ? anyVerb : known.verbs.get(verb)
      if (!own) {
        wrong.push(`there is no verb "${verb}"`)
        continue
      }
      if (verb === 'data') {
        const action = next?.replace(/[.,;:`]+$/, '') ?? ''
        if (!known.actions.has(action)) wrong.push(`there is no "data ${action}"`)
        else if (action === 'convert' && !/^npx ift data convert [^-\s]/.test(command))
          wrong.push('data convert needs a file')
      }
      // Behind a command the sentence may go on; its own flags end with the code.
      const [code = '', ...rest] = command.split(/[`;]/)
      for (const name of flagsOf(code))
        if (!isFlag(name, own)) wrong.push(verb ? `${verb} has no --${name}` : `there is no --${name}`)
      for (const name of flagsOf(rest.join(' ')))
        if (!isFlag(name, anyVerb)) wrong.push(`there is no --${name}`)
    }
    for (const [, verb = ''] of line.matchAll(/(?<!npx )\bift ([a-z]+)(?![\w-])/g))
      if (known.verbs.has(verb)) wrong.push(`"ift ${verb}" is typed as "npx ift ${verb}"`)
  }
  for (const [page] of text.matchAll(/\bdocs\/[\w./-]+\.md\b/g))
    if (!known.hasPage(page)) wrong.push(`there is no page ${page}`)
  for (const [, name] of text.matchAll(/npm install (@ift\/[\w-]+\w)/g))
    if (!known.packages.has(name ?? '')) wrong.push(`there is no package ${name}`)
  for (const [, path = '', name = ''] of text.matchAll(
    /(?<![\w./-])((?:train|validation|generate|ranks|peft)\.([a-z]\w*)(?:\.[a-z]\w*)*)\b(?!\()/g,
  ))
    if (!fileNames.test(name) && !isOption(path, known.options)) wrong.push(`there is no option ${path}`)
  return [...new Set(wrong)]
}

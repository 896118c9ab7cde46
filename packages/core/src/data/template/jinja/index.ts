import { limits, spend, TemplateLimit, withinLimits, withinStack } from './budget.js'
import { range } from './collections.js'
import { textOf } from './arguments.js'
import { Scope } from './scope.js'
import { compileBlock, nodesIn, Output } from './statements.js'
import { parseTemplate } from './source.js'
import {
  CallArguments,
  Callable,
  itemsOf,
  keyOf,
  Namespace,
  str,
  TemplateError,
  type Dict,
  type Keywords,
  type Value,
} from './values.js'

export { TemplateLimit } from './budget.js'
export { guards, hasMarks, marked, takeMarks, visible, type Mark } from './marks.js'
export { marksGeneration } from './source.js'
export { CallArguments, Callable, fromJson, numberFromText, type Value } from './values.js'

// Jinja2 for chat templates. The library's tokenizer and parser make the tree; its runtime computes as JavaScript does (its
// objects, numbers, null, scopes and white space) and does not export its values, so that what differs from Python cannot be
// mended from outside. Here the tree is evaluated with Python's values and Jinja2's rules: one concern a file, and every
// rendering goes through `render`.

function pairs(args: readonly Value[], keywords: Keywords): Dict {
  const dict: Dict = new Map()
  const [source] = args
  if (source instanceof Map) for (const [key, value] of source) dict.set(key, value)
  else if (source !== undefined)
    for (const pair of itemsOf(source)) {
      const [key, value] = itemsOf(pair)
      if (key === undefined || value === undefined) throw new TemplateError('dict() expects pairs')
      dict.set(keyOf(key), value)
    }
  for (const [key, value] of keywords) dict.set(key, value)
  return dict
}

const globals: readonly (readonly [string, Value])[] = [
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
  ['range', new Callable('range', (args) => range(args))],
  ['dict', new Callable('dict', pairs)],
  [
    'namespace',
    new Callable('namespace', (args, keywords) => {
      const space = new Namespace()
      for (const [key, value] of pairs(args, keywords)) space.fields.set(str(key), value)
      return space
    }),
  ],
  [
    'raise_exception',
    new Callable('raise_exception', (args) => {
      throw new TemplateError(textOf('raise_exception', args[0]))
    }),
  ],
]

export interface JinjaTemplate {
  /** The text with the marks that `takeMarks` takes out. Throws TemplateError, TemplateLimit for one that takes too much. */
  render(context: ReadonlyMap<string, Value>): string
}

/** Characters of what a template is given. */
function sizeOf(value: Value): number {
  if (typeof value === 'string') return value.length
  if (value instanceof CallArguments) return sizeOf(value.object) + (value.given?.length ?? 0)
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + sizeOf(item), 1)
  if (!(value instanceof Map)) return 1
  let size = 1
  for (const [key, item] of value) size += sizeOf(key) + sizeOf(item)
  return size
}

/** Throws when the source is no template, TemplateLimit when it is too long or nested too deep. */
export function compileTemplate(source: string): JinjaTemplate {
  if (source.length > limits.source)
    throw new TemplateLimit(`it has ${source.length} characters, expected at most ${limits.source}`)
  const { run, cost } = withinStack(() => {
    const { body } = parseTemplate(source)
    return { run: compileBlock(body), cost: nodesIn(body) }
  })
  return {
    render(context) {
      const scope = new Scope(null)
      for (const [name, value] of globals) scope.set(name, value)
      for (const [name, value] of context) scope.set(name, value)
      const out = new Output()
      return withinLimits(
        () => [...context.values()].reduce<number>((sum, value) => sum + sizeOf(value), 0),
        () => {
          spend(cost)
          run(scope, out)
          return out.text
        },
      )
    },
  }
}

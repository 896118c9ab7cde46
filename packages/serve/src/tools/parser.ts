import { chatglm3Parser } from './chatglm3.js'
import { constraintOf, type CallForm } from './constraint.js'
import type { CallableFunction, ToolParser } from './events.js'
import { glm4Parser } from './glm4.js'
import { HermesParser } from './hermes.js'
import { JsonListParser } from './json-list.js'
import { Llama3Parser } from './llama3.js'
import { MossParser } from './moss.js'
import { ReasoningParser } from './reasoning.js'
import { textParser } from './text.js'

export type { CallableFunction, ToolEvent, ToolParser } from './events.js'
export { opensReasoning } from './reasoning.js'

/** A template: the Jinja source of the checkpoint's own, or null and the name of one that ift has. */
export interface ParsedTemplate {
  readonly source: string | null
  readonly name: string
}

export interface ToolParserOptions {
  /** Whether functions may be called; without them reasoning alone is split off. */
  readonly tools: boolean
  /** The functions, where they are known: forms without marks of their own call no others. */
  readonly functions?: readonly CallableFunction[]
  /** Whether the prompt ends inside of thoughts (`opensReasoning`). */
  readonly reasoning?: boolean
}

interface Family {
  readonly name: string
  readonly matches: (template: ParsedTemplate) => boolean
  /** Whether the form has marks around text too, which are read with tools and without. */
  readonly shaped?: boolean
  /** How calls are written, where a grammar can say it. */
  readonly form?: CallForm
  readonly parser: (
    accepts: (name: string) => boolean,
    functions: readonly CallableFunction[],
    tools: boolean,
  ) => ToolParser
}

const writes =
  (...marks: readonly RegExp[]) =>
  ({ source }: Pick<ParsedTemplate, 'source'>): boolean =>
    source !== null && marks.every((mark) => mark.test(source))

const never = () => false

/** Families by the form of their calls; the first that matches. */
export const families: readonly Family[] = [
  {
    name: 'moss',
    matches: ({ name }) => name === 'moss',
    parser: (_, functions) => new MossParser(functions),
  },
  {
    name: 'chatglm3',
    matches: ({ name }) => name === 'chatglm3',
    shaped: true,
    parser: (accepts, _, tools) => chatglm3Parser(tools ? accepts : never),
  },
  {
    name: 'glm4',
    matches: (template) =>
      template.name === 'glm4' || writes(/^(?!.*<tool_call>).*<\|observation\|>/s)(template),
    shaped: true,
    parser: (accepts, _, tools) => glm4Parser(tools ? accepts : never),
    form: { begin: (name) => `${name}\n`, end: '', between: null },
  },
  {
    name: 'hermes',
    // Other families write keys and values between the same marks.
    matches: writes(/<tool_call>[^<]{0,60}\{\s*\\*["'](name|arguments)\\*["']/),
    parser: () => new HermesParser(),
    form: {
      begin: (name) => `<tool_call>\n{"name": ${JSON.stringify(name)}, "arguments": `,
      end: '}\n</tool_call>',
      between: '\n',
    },
  },
  {
    name: 'llama3',
    matches: writes(/<\|python_tag\|>|ipython/, /\{\\?"name\\?": [^]*"parameters\\?": /),
    parser: (accepts) => new Llama3Parser(accepts),
    form: { begin: (name) => `{"name": ${JSON.stringify(name)}, "parameters": `, end: '}', between: null },
  },
  {
    name: 'json list',
    // Later templates of Mistral write names and arguments apart.
    matches: ({ source }) => source === null || writes(/^(?!.*\[ARGS\]).*\[TOOL_CALLS\]/s)({ source }),
    parser: (accepts) => new JsonListParser(accepts),
    form: {
      open: '[',
      begin: (name) => `{"name":${JSON.stringify(name)},"arguments":`,
      end: '}',
      between: ',',
      close: ']',
    },
  },
]

/** The parser for answers under a template; text alone where the form of its calls is not known. */
export function toolParserFor(template: ParsedTemplate, options: ToolParserOptions): ToolParser {
  const { tools, functions = [], reasoning = false } = options
  const names = new Set(functions.map(({ name }) => name))
  const accepts = (name: string) => names.size === 0 || names.has(name)
  const family = families.find(({ matches }) => matches(template))
  const parser = family && (tools || family.shaped) ? family.parser(accepts, functions, tools) : textParser()
  return reasoning || template.source?.includes('</think>') ? new ReasoningParser(parser, reasoning) : parser
}

/**
 * A constraint under which an answer is a call of one of the functions, or several (`tool_choice` "required" or a name). Null for a
 * template whose calls no grammar says.
 */
export function callConstraintFor(
  template: ParsedTemplate,
  functions: readonly CallableFunction[],
  several: boolean,
): { readonly lark: string } | null {
  const form = families.find(({ matches }) => matches(template))?.form
  return form ? constraintOf(form, functions, several) : null
}

import { IftError, type Message } from '@ift/core'

/** A call of a function, whichever of OpenAI's forms it came in. */
export interface Call {
  readonly name: string
  readonly arguments: unknown
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Arguments come as JSON in a text or as they are; a text that is no JSON stays one. */
function parsed(value: unknown): unknown {
  if (typeof value !== 'string') return value ?? {}
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

/** The calls of an assistant: `{ function: { name, arguments } }` or `{ name, arguments }`. */
export const callsOf = ({ toolCalls = [] }: Message): readonly Call[] =>
  toolCalls.map((call) => {
    const given = isRecord(call) && isRecord(call['function']) ? call['function'] : call
    if (!isRecord(given) || typeof given['name'] !== 'string')
      throw new IftError(
        'IFT_DATA_RECORD',
        `A tool call expected "name" and "arguments", found ${JSON.stringify(call)}.`,
        'Write calls as OpenAI does: {"type": "function", "function": {"name": …, "arguments": …}}',
      )
    return { name: given['name'], arguments: parsed(given['arguments'] ?? given['parameters']) }
  })

/** The functions among tools: `{ type: 'function', function: … }` or the function itself. */
export const functionsOf = (tools: unknown): readonly Record<string, unknown>[] =>
  (Array.isArray(tools) ? tools : [tools]).filter(isRecord).map((tool) => {
    const inner = tool['function']
    return isRecord(inner) ? inner : tool
  })

/** A value as Python writes it in code. */
export function pythonLiteral(value: unknown): string {
  if (value === null || value === undefined) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'string') {
    const quote = value.includes("'") && !value.includes('"') ? '"' : "'"
    const escaped = value.replace(
      /[\\\n\r\t]/g,
      (c) => ({ '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' })[c]!,
    )
    return `${quote}${quote === "'" ? escaped.replaceAll("'", "\\'") : escaped}${quote}`
  }
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(', ')}]`
  if (isRecord(value))
    return `{${Object.entries(value)
      .map(([key, item]) => `${pythonLiteral(key)}: ${pythonLiteral(item)}`)
      .join(', ')}}`
  return JSON.stringify(value)
}

/** JSON with the blanks behind commas and colons that Python's json.dumps writes. */
export function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`
  if (isRecord(value))
    return `{${Object.entries(value)
      .map(([key, item]) => `${JSON.stringify(key)}: ${pythonJson(item)}`)
      .join(', ')}}`
  return JSON.stringify(value ?? null)
}

/** ChatGLM3's call: Python code in a fence. */
export function pythonCall({ arguments: given }: Call): string {
  const inside = isRecord(given)
    ? Object.entries(given)
        .map(([key, value]) => `${key}=${pythonLiteral(value)}`)
        .join(', ')
    : pythonLiteral(given)
  return `\`\`\`python\ntool_call(${inside})\n\`\`\``
}

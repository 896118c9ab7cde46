import { exactJson, isExactNumber, type ToolCall } from '@ift/core'

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isExactNumber(value)

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
  return exactJson(value)
}

/** JSON with the blanks behind commas and colons that Python's json.dumps writes. */
export function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`
  if (isRecord(value))
    return `{${Object.entries(value)
      .map(([key, item]) => `${JSON.stringify(key)}: ${pythonJson(item)}`)
      .join(', ')}}`
  return exactJson(value ?? null)
}

/** ChatGLM3's call: Python code in a fence. */
export function pythonCall({ arguments: given }: ToolCall): string {
  const inside = isRecord(given)
    ? Object.entries(given)
        .map(([key, value]) => `${key}=${pythonLiteral(value)}`)
        .join(', ')
    : pythonLiteral(given)
  return `\`\`\`python\ntool_call(${inside})\n\`\`\``
}

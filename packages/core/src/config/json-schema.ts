import * as z from './options.js'
import { configSchema } from './schema.js'

/** JSON Schema (draft 2020-12) of the config file, for editors. */
export function configJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as Record<
    string,
    unknown
  >
  return dropIntegerBounds(schema) as Record<string, unknown>
}

/** zod writes ±2^53-1 as the bounds of every integer: noise in an editor. */
function dropIntegerBounds(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(dropIntegerBounds)
  if (typeof node !== 'object' || node === null) return node
  return Object.fromEntries(
    Object.entries(node)
      .filter(
        ([key, value]) =>
          !(
            (key === 'maximum' || key === 'minimum') &&
            Math.abs(value as number) === Number.MAX_SAFE_INTEGER
          ),
      )
      .map(([key, value]) => [key, dropIntegerBounds(value)]),
  )
}

/** One row of the options table. */
export interface OptionRow {
  readonly path: string
  readonly type: string
  readonly default: unknown
  readonly description: string
}

/** Every option of the config with type, default and description, for help texts and the table in the docs. */
export function optionRows(): OptionRow[] {
  const rows: OptionRow[] = []
  const walk = (node: JsonNode, path: string) => {
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      const at = path ? `${path}.${key}` : key
      if (key === '$schema') continue
      if (child.properties && key !== 'peft') walk(child, at)
      else
        rows.push({
          path: at,
          type: typeOf(child),
          default: defaultOf(child),
          description: child.description ?? '',
        })
    }
  }
  walk(configJsonSchema(), '')
  return rows
}

interface JsonNode {
  type?: string
  enum?: readonly unknown[]
  anyOf?: readonly JsonNode[]
  items?: JsonNode
  default?: unknown
  description?: string
  properties?: Record<string, JsonNode>
}

/** Of an object the defaults of what stands in it. */
function defaultOf({ default: own, properties }: JsonNode): unknown {
  if (!properties) return own
  const inner = Object.entries(properties).map(([key, node]) => [key, defaultOf(node)] as const)
  return Object.fromEntries(inner.filter(([, value]) => value !== undefined))
}

function typeOf(node: JsonNode): string {
  if (node.enum) return node.enum.map(String).join(' | ')
  if (node.anyOf) return [...new Set(node.anyOf.map(typeOf))].join(' | ')
  if (node.type === 'array') {
    const items = node.items ? typeOf(node.items) : 'any'
    return items.includes(' | ') ? `(${items})[]` : `${items}[]`
  }
  return node.type ?? 'any'
}

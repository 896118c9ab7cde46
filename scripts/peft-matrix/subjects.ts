// The rows and columns of the matrix: every method and every family that the packages of this repository describe.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { IftPlugin, ModelDefinition, PeftMethod } from '@ift/core'
import { toJSONSchema } from '@ift/core/options'
import { modelsOf, peftsOf, type PeftBase, type PeftModel } from '@ift/core/testing'
import { publishedSizes } from '../docs/models.mjs'
import { root, workspacePackages, type WorkspacePackage } from '../workspace.mjs'

export interface MatrixMethod {
  readonly name: string
  readonly method: PeftMethod
  readonly package: WorkspacePackage
  /** Values for the options that have no default. */
  readonly options: Readonly<Record<string, unknown>>
}

export interface MatrixModel {
  /** Its folder in fixtures/. */
  readonly name: string
  readonly family: string
  readonly architecture: string
  readonly package: WorkspacePackage
  readonly subject: PeftModel & { readonly folder: string }
}

/** What the frozen weights are held in. */
export const bases: readonly PeftBase[] = ['f32', 'bf16', 'nf4', 'int8']

const providing = (noun: 'peft' | 'model') =>
  workspacePackages().filter(({ folder, json }) => {
    const { ift } = json as { ift?: { provides?: Record<string, unknown> } }
    return folder.startsWith('packages/') && ift?.provides?.[noun] !== undefined
  })

const pluginOf = async ({ folder }: WorkspacePackage): Promise<IftPlugin> =>
  ((await import(join(root, folder, 'src/index.ts'))) as { plugin: IftPlugin }).plugin

/** An option of a method as its schema declares it. */
export interface DeclaredOption {
  readonly default?: unknown
  readonly description?: string
  readonly type?: string
  readonly minimum?: number
  readonly enum?: readonly unknown[]
  readonly items?: DeclaredOption
  readonly anyOf?: readonly DeclaredOption[]
}

export function optionsOf(method: PeftMethod): {
  readonly properties: Readonly<Record<string, DeclaredOption>>
  readonly required: readonly string[]
} {
  const { properties = {}, required = [] } = toJSONSchema(method.options, { io: 'input' })
  return { properties: properties as Record<string, DeclaredOption>, required }
}

/** The least that an option can be, numbers above 3; undefined for what cannot be guessed. */
function leastOf({ type, minimum = 0, items, enum: choices, anyOf }: DeclaredOption): unknown {
  if (choices) return choices[0]
  if (anyOf) return anyOf.map(leastOf).find((value) => value !== undefined)
  if (type === 'integer' || type === 'number') return Math.max(4, minimum)
  const item = type === 'array' && items ? leastOf(items) : undefined
  return item === undefined ? undefined : [item]
}

function neededOptions(method: PeftMethod): Record<string, unknown> {
  const { properties, required } = optionsOf(method)
  return Object.fromEntries(
    required.map((name) => {
      const value = leastOf(properties[name] ?? {})
      if (value === undefined)
        throw new Error(`${method.name}: give ${name} a default, or a type that is known here`)
      return [name, value]
    }),
  )
}

export async function allMethods(): Promise<MatrixMethod[]> {
  const found: MatrixMethod[] = []
  for (const one of providing('peft'))
    for (const method of peftsOf(await pluginOf(one)))
      found.push({ name: method.name, method, package: one, options: neededOptions(method) })
  return found
}

/** The tiny model of every architecture that a published size has. */
export async function allModels(): Promise<MatrixModel[]> {
  const homes = new Map<ModelDefinition, WorkspacePackage>()
  for (const one of providing('model'))
    for (const definition of modelsOf(await pluginOf(one))) homes.set(definition, one)
  const found = new Map<string, MatrixModel>()
  for (const { golden, definition } of publishedSizes([...homes.keys()]))
    for (const name of golden) {
      const folder = join(root, 'fixtures', name)
      const json = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>
      const both = definition.shape(definition.parseConfig(json)).bidirectionalPrompt === true
      // [gMASK] and [sop] end what is read in both directions.
      const promptEnd = both ? [json['gmask_token_id'] as number, json['bos_token_id'] as number] : []
      const [architecture] = json['architectures'] as string[]
      found.set(name, {
        name,
        family: definition.name,
        architecture: `${architecture!}${both ? ', both directions' : ''}`,
        package: homes.get(definition)!,
        subject: { definition, folder, promptEnd },
      })
    }
  return [...found.values()]
}

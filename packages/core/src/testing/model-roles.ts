import { Linear, Parameter, type Module } from '@ift/tensor'
import type { ModuleRole } from '../contract/model.js'
import { isNamed, modulesOf } from '../model/roles.js'
import { claim } from './claim.js'
import type { ModelBench } from './model-bench.js'

const linearRoles = ['query', 'key', 'value', 'attentionOutput', 'feedForwardIn', 'feedForwardOut'] as const

const attentionInputs: ReadonlySet<ModuleRole> = new Set(['query', 'key', 'value'])

/** Roles name modules that exist, each what its role says, and none plays two. */
export async function roles(bench: ModelBench): Promise<void> {
  const { definition } = bench
  const config: unknown = definition.parseConfig(await bench.json())
  const model = definition.build(config)
  const modules = [...model.namedModules()]
  const all = definition.roles(config)
  const played = new Map<string, string>()
  const players = (role: ModuleRole): Module[] => {
    // A fused module plays the roles of its parts.
    const own = 'queryKeyValue' in all && attentionInputs.has(role) ? 'queryKeyValue' : role
    return modulesOf(all, role).flatMap((name) => {
      const found = modules.filter(([path]) => isNamed(path, name))
      claim(found.length > 0, `roles().${role}: no module is named ${name}.`)
      for (const [path] of found) {
        const other = played.get(path)
        claim(other === undefined || other === own, `roles(): ${path} is both ${own} and ${other}.`)
        played.set(path, own)
      }
      return found.map(([, module]) => module)
    })
  }
  const inLayers = new Set(model.layers.flatMap((layer) => [...layer.namedModules()].map(([, one]) => one)))
  for (const role of linearRoles)
    for (const module of players(role)) {
      claim(module instanceof Linear, `roles().${role}: ${module.constructor.name} is not a linear layer.`)
      claim(inLayers.has(module), `roles().${role} names a module outside of the layers.`)
    }
  const norms = new Set([...players('norm'), ...players('headNorm')])
  for (const [path, module] of modules) {
    const weight = 'weight' in module && module.weight instanceof Parameter ? module.weight : null
    const isNorm = weight?.shape.length === 1
    if (isNorm !== norms.has(module))
      claim(
        false,
        `${path} ${isNorm ? 'is a norm without the role of one' : 'has the role of a norm and is none'}.`,
      )
  }
  for (const [role, expected] of [
    ['embedding', model.embeddings],
    ['head', model.lmHead],
  ] as const) {
    const found = players(role)
    claim(
      found.length === 1 && found[0] === expected,
      `roles().${role} is ${modulesOf(all, role).join()}, which is not the model's.`,
    )
  }
  for (const [method, taken] of Object.entries(definition.targetRoles ?? {}))
    claim(taken.length > 0, `targetRoles.${method} is empty.`)
}

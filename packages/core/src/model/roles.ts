import type { ModelRoles, ModuleRole } from '../contract/model.js'
import type { PeftContext, PeftMethod } from '../contract/peft.js'

/** Names of the modules that play a role; a fused one plays those of its parts. */
export function modulesOf(roles: ModelRoles, role: ModuleRole): readonly string[] {
  switch (role) {
    case 'query':
    case 'key':
    case 'value':
      return ['queryKeyValue' in roles ? roles.queryKeyValue : roles[role]]
    case 'feedForwardIn':
      return 'gateUp' in roles ? [roles.gateUp] : [roles.feedForwardIn].flat()
    case 'norm':
    case 'headNorm':
      return roles[role] ?? []
    default:
      return [roles[role]]
  }
}

/** Whether a module of this path has the name: the whole path, or its end behind a dot. */
export const isNamed = (path: string, name: string): boolean => path === name || path.endsWith(`.${name}`)

/**
 * What a method adapts where the config names no targets: the modules that play its roles in this family, unless the family
 * has an exception for the method.
 */
export function defaultTargets(
  method: Pick<PeftMethod, 'name' | 'targetRoles'>,
  { definition, roles }: Pick<PeftContext, 'definition' | 'roles'>,
): readonly string[] {
  const wanted = definition.targetRoles?.[method.name] ?? method.targetRoles ?? []
  return [...new Set(wanted.flatMap((role) => modulesOf(roles, role)))]
}

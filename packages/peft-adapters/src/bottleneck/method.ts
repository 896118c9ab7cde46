import { IftError, type ModelRoles, type ModuleRole, type PeftContext, type PeftMethod } from '@ift/core'
import { isNamed, modulesOf } from '@ift/core/model'
import { moduleMethod, moduleSetting, settingError } from '@ift/core/peft'
import { BottleneckLinear, type BranchPlace } from './layer.js'
import { bottleneckOptions, fields, type BottleneckOptions } from './options.js'

const named = (path: string, roles: ModelRoles, role: ModuleRole) =>
  modulesOf(roles, role).some((name) => isNamed(path, name))

/** As the original chooses by name: in front of the first layers of a feed-forward, behind its last one. */
function placeOf(path: string, options: BottleneckOptions, context: PeftContext): BranchPlace {
  const { roles, adapter } = context
  const { useParallelAdapter } = options
  if (useParallelAdapter) return 'beside'
  if (named(path, roles, 'feedForwardOut')) return 'behind'
  if (named(path, roles, 'feedForwardIn')) return 'before'
  const places = [...modulesOf(roles, 'feedForwardIn'), ...modulesOf(roles, 'feedForwardOut')]
  const target = moduleSetting(options, 'targetModules')
  const parallel = { option: 'useParallelAdapter', field: 'use_parallel_adapter', value: useParallelAdapter }
  throw settingError(
    context,
    adapter?.config[parallel.field] ? [target, parallel] : target,
    'IFT_PEFT_TARGET',
    (setting, ...by) =>
      `${setting} matches "${path}", and a bottleneck that is not parallel${by.length ? ` (${by.join()})` : ''} expects ${places.join(', ')}.`,
    'Name these, or set peft.useParallelAdapter: it lies beside any linear layer.',
  )
}

/** The original's targets for LLaMA, BLOOM and ChatGLM, by what they are for. */
const rolesOf = ({ useParallelAdapter, useAdapterP }: BottleneckOptions): readonly ModuleRole[] =>
  useParallelAdapter
    ? ['query', 'key', 'value']
    : useAdapterP
      ? ['feedForwardOut']
      : ['feedForwardIn', 'feedForwardOut']

const method = moduleMethod<BottleneckOptions, BottleneckLinear>({
  name: 'bottleneck',
  peftType: 'BOTTLENECK',
  targetRoles: ['feedForwardIn', 'feedForwardOut'],
  options: bottleneckOptions,
  fields,
  check({ useParallelAdapter, useAdapterP }, { adapter }) {
    if (useParallelAdapter && useAdapterP && !adapter)
      throw new IftError(
        'IFT_PEFT_OPTIONS',
        'peft.useParallelAdapter and peft.useAdapterP are both true, and a branch lies beside a layer or behind it.',
        'Set one of them.',
      )
  },
  layer: (base, { path, options, context }) =>
    new BottleneckLinear(base, placeOf(path, options, context), options),
  // The original's layer is the linear layer itself.
  fileName: (name) => name.replace(/\.base_layer\.bias$/, '.bias'),
})

/**
 * The bottleneck adapters of Alpaca-CoT and LLM-Adapters (Hu et al. 2023, arXiv:2304.01933): around the layers of the feed-forward, behind
 * its last one (useAdapterP), or beside any layer (useParallelAdapter).
 */
export const bottleneck: PeftMethod<BottleneckOptions> = {
  ...method,
  attach: (model, options, context) => {
    // One layer may play several roles.
    const defaults = new Set(rolesOf(options).flatMap((role) => modulesOf(context.roles, role)))
    const targetModules = options.targetModules ?? [...defaults]
    return method.attach(model, { ...options, targetModules }, context)
  },
}

import { IftError, type PeftContext, type PeftMethod } from '@ift/core'
import { modulesOf } from '@ift/core/model'
import type * as z from '@ift/core/options'
import { moduleMethod, settingError, type ModuleOptions } from '@ift/core/peft'
import { forwardInput, noGrad, promptsOf, scope, type CausalLM } from '@ift/tensor'
import { AdapterHubHandle, asHere, fileName, nameOf } from './handle.js'
import { SublayerAdapter } from './layer.js'
import {
  fields,
  houlsbyOptions,
  parallelOptions,
  pfeifferOptions,
  type HoulsbyOptions,
  type HubOptions,
  type ParallelOptions,
  type PfeifferOptions,
} from './options.js'
import { sublayerOf } from './place.js'

/** Fields that describe, and those that have no effect unless a refused one is set. */
const ignoredFields = [
  ...[
    'name',
    'hidden_size',
    'model_class',
    'model_type',
    'type',
    'version',
    'is_parallel',
    'init_weights_seed',
  ],
  ...['inv_adapter_reduction_factor', 'cross_adapter', 'phm_dim', 'factorized_phm_W', 'shared_W_phm'],
  ...['shared_phm_rule', 'factorized_phm_rule', 'phm_c_init', 'phm_init_range', 'learn_phm'],
  ...['hypercomplex_nonlinearity', 'phm_rank', 'phm_bias', 'new_attention_norm', 'attention_type'],
]

/** Fields of adapters that compute what is not supported, with what that is. */
const refused: Readonly<Record<string, string>> = {
  inv_adapter: 'an invertible adapter behind the embedding (Pfeiffer et al. 2020, MAD-X)',
  phm_layer: 'hypercomplex layers (Compacter)',
  use_gating: 'a gate that is the mean over a sequence, which no token knows before the sequence ends',
  stochastic_depth: 'stochastic depth, of models of images',
}

interface Kind {
  readonly name: string
  /** AdapterHub's name, by which the format of adapters calls it. */
  readonly peftType: string
  /** What the kind itself says. */
  readonly fixed: Readonly<Record<string, boolean>>
  /** Fields that have no effect on it. */
  readonly without?: readonly string[]
}

/** After which sublayers an adapter of these options stands. */
const placesOf = (options: HubOptions, { fixed }: Kind) => ({
  attention: fixed['mh_adapter'] ?? ('mhAdapter' in options && options.mhAdapter),
  output: fixed['output_adapter'] ?? ('outputAdapter' in options && options.outputAdapter),
})

function hubMethod<O extends HubOptions>(kind: Kind, options: z.ZodType<O>): PeftMethod<O> {
  const { name, peftType, fixed, without = [] } = kind
  const passed = [...Object.keys(fixed), ...without]
  const method = moduleMethod<O & ModuleOptions, SublayerAdapter>({
    name,
    peftType,
    targetRoles: fixed['mh_adapter'] ? ['attentionOutput', 'feedForwardOut'] : ['feedForwardOut'],
    options,
    fields: Object.fromEntries(Object.entries(fields).filter(([field]) => !passed.includes(field))),
    ignoredFields: [...ignoredFields, ...Object.keys(refused), ...passed],
    readConfig(config) {
      for (const [field, what] of Object.entries(refused))
        if (config[field])
          throw new IftError(
            'IFT_ADAPTER_CONFIG',
            `adapter_config.json sets ${field} to ${JSON.stringify(config[field])}: ${what} is not supported.`,
            'Use the adapter in the program that made it.',
          )
      return {}
    },
    check(given, context) {
      const { attention, output } = placesOf(given, kind)
      if (!attention && !output)
        throw settingError(
          context,
          [
            { option: 'mhAdapter', field: 'mh_adapter', value: attention },
            { option: 'outputAdapter', field: 'output_adapter', value: output },
          ],
          'IFT_PEFT_OPTIONS',
          (first, second) => `${first} and ${second} are both false: no place is left for an adapter.`,
          'Set one of them.',
        )
    },
    layer: (base, place) =>
      new SublayerAdapter(base, sublayerOf(place.path, place.context), place.options, place.context),
    fileName,
    source: (file, { names }) => asHere(file, names),
    writeConfig: ({ context }) => ({
      hidden_size: context.shape.hidden,
      ...fixed,
      name: nameOf(context),
    }),
    handle: (parts) => new AdapterHubHandle(parts),
  })
  return {
    ...method,
    async attach(model, given, context) {
      const targets = targetsOf(model, given, kind, context)
      const handle = await method.attach(model, { ...given, ...targets }, context)
      try {
        tryOneToken(model, context)
      } catch (error) {
        handle.release()
        throw error
      }
      return handle
    },
  }
}

/** The linear layers that sublayers end in, as targets. */
function targetsOf(model: CausalLM, options: HubOptions, kind: Kind, context: PeftContext): ModuleOptions {
  const { roles, adapter } = context
  const { leaveOut } = options
  const { attention, output } = placesOf(options, kind)
  const indices = model.layers.map((_, index) => index)
  const left = indices.filter((index) => !leaveOut.includes(index))
  // An adapter's may be those of a family of models.
  const beyond = adapter ? undefined : leaveOut.find((index) => index >= indices.length)
  if (beyond !== undefined || !left.length)
    throw settingError(
      context,
      { option: 'leaveOut', field: 'leave_out', value: leaveOut },
      'IFT_PEFT_OPTIONS',
      (setting) =>
        beyond === undefined
          ? `${setting} names all ${indices.length} layers of the model.`
          : `${setting} expected indices of layers from 0 to ${indices.length - 1}, found ${beyond}.`,
      'Name layers that are to have no adapter.',
    )
  return {
    targetModules: [
      ...(attention ? modulesOf(roles, 'attentionOutput') : []),
      ...(output ? modulesOf(roles, 'feedForwardOut') : []),
    ],
    ...(leaveOut.length ? { layersToTransform: left } : {}),
  }
}

/** Whether a family hands the residual to the layers shows when they are called: a token tells before training does. */
function tryOneToken(model: CausalLM, { backend }: PeftContext): void {
  const adapters = [...model.namedModules()].map(([, module]) => module)
  if (!adapters.some((module) => module instanceof SublayerAdapter && module.needsResidual)) return
  const ids = [0]
  noGrad(() =>
    scope(() => {
      model.call(forwardInput(backend, { ids, lengths: [1], prompts: promptsOf(model, [ids]) }))
    }),
  )
}

/** Adapters after attention and feed-forward (Houlsby et al. 2019, arXiv:1902.00751), as AdapterHub's double_seq_bn. */
export const houlsby: PeftMethod<HoulsbyOptions> = hubMethod(
  { name: 'houlsby', peftType: 'DOUBLE_SEQ_BN', fixed: { is_parallel: false, mh_adapter: true } },
  houlsbyOptions,
)

/** Adapters after the feed-forward (Pfeiffer et al. 2020, arXiv:2005.00247), as AdapterHub's seq_bn. */
export const pfeiffer: PeftMethod<PfeifferOptions> = hubMethod(
  {
    name: 'pfeiffer',
    peftType: 'SEQ_BN',
    fixed: { is_parallel: false, mh_adapter: false, output_adapter: true },
  },
  pfeifferOptions,
)

/** Adapters beside the feed-forward (He et al. 2021, arXiv:2110.04366), as AdapterHub's par_bn. */
export const parallel: PeftMethod<ParallelOptions> = hubMethod(
  {
    name: 'parallel',
    peftType: 'PAR_BN',
    fixed: { is_parallel: true },
    without: ['original_ln_before', 'residual_before_ln', 'adapter_residual_before_ln'],
  },
  parallelOptions,
)

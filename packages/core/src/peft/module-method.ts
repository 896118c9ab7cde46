import type { CausalLM, Embedding, Linear, Module, Parameter } from '@ift/tensor'
import type { AdapterSource, PeftContext, PeftMethod } from '../contract/index.js'
import type { AdaptedLayer, AdapterTensor } from './adapted-layer.js'
import { readAdapterConfig, type AdapterConfigReader } from './adapter-config.js'
import { attach } from './attach.js'
import type { ModuleHandle, ModuleParts } from './module-handle.js'
import type { ModuleOptions } from './options.js'
import type { TokenRowsRequest } from './place-token-rows.js'
import type { TargetKind } from './targets.js'

/** Where a layer is put. */
export interface LayerPlace<O extends ModuleOptions> {
  readonly path: string
  readonly options: O
  readonly context: PeftContext
  /** Whether the module is a head that reads the table of the embedding. */
  readonly sharesTable: boolean
  /** Tensors of the whole adapter: what `ModuleMethod.shared` gave. */
  readonly shared: readonly AdapterTensor[]
}

/** A method that changes what modules compute: its options, a layer, and the tensors of the layer. */
export interface ModuleMethod<O extends ModuleOptions, L extends AdaptedLayer = AdaptedLayer>
  extends Pick<PeftMethod<O>, 'name' | 'combine'>, AdapterConfigReader<O> {
  /** `peft_type` in adapter_config.json. */
  readonly peftType: string
  /** Roles of the modules that it adapts where the config names none. */
  readonly targetRoles: PeftMethod['targetRoles'] & object
  /** Modules that it can be put on; linear layers when absent. Null for a method without targets. */
  readonly targets?: TargetKind | null
  /** Throws IFT_PEFT_OPTIONS for options that contradict each other or do not fit the model. */
  check?(options: O, context: PeftContext, model: CausalLM): void
  /**
   * The layer over a frozen module: a linear layer (a tied head is given as one over the table of the embedding), or what else
   * `targets` accepts. Absent for a method that trains parameters of the model alone.
   */
  readonly layer?: (base: Linear & Embedding, place: LayerPlace<O>) => L
  /** Tensors of the whole adapter, made from its targets before the layers. */
  shared?(
    modules: ReadonlyMap<string, Module>,
    options: O,
    context: PeftContext,
  ): readonly AdapterTensor[] | Promise<readonly AdapterTensor[]>
  /** Parameters of the model that it trains, by their names in the file without `base_model.model.`. */
  whole?(modules: ReadonlyMap<string, Module>, model: CausalLM, options: O): ReadonlyMap<string, Parameter>
  /** Name of a tensor in files that are not PEFT's, for the name that PEFT would give it. */
  fileName?(name: string, context: PeftContext): string
  /**
   * The tensors of a file under the names that they have here, `names`, and without those that hold nothing; for files that are not as
   * `load` reads them.
   */
  source?(
    source: AdapterSource,
    adapter: { readonly names: ReadonlySet<string>; readonly layers: ReadonlyMap<string, L> },
  ): AdapterSource
  /** Rows of tables that it trains. */
  tokenRows?(modules: ReadonlyMap<string, Module>, options: O): TokenRowsRequest
  /** Fields of adapter_config.json beside those of the options. */
  writeConfig?(
    parts: Pick<ModuleParts<O, L>, 'options' | 'context' | 'layers'> & {
      /** What the file says of the targets. */
      readonly targetModules: string | readonly string[] | undefined
    },
  ): Readonly<Record<string, unknown>>
  /** A handle that does more than keep the tensors. */
  handle?(parts: ModuleParts<O, L>): ModuleHandle<O, L>
}

/** The contract of a method that changes modules, in the names and files of Hugging Face PEFT. */
export const moduleMethod = <O extends ModuleOptions, L extends AdaptedLayer = AdaptedLayer>(
  method: ModuleMethod<O, L>,
): PeftMethod<O> => ({
  name: method.name,
  peftTypes: [method.peftType],
  targetRoles: method.targetRoles,
  options: method.options,
  fromAdapterConfig: (config) => readAdapterConfig(method, config),
  attach: (model, options, context) => attach(method, model, options, context),
  ...(method.combine && { combine: method.combine }),
})

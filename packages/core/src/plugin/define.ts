import type {
  BackendDefinition,
  DatasetDefinition,
  ModelDefinition,
  PeftMethod,
  Plugin,
  PromptTemplate,
  TokenizerDefinition,
} from '../contract/index.js'
import type { Registry, SessionHooks } from './hooks.js'

/** Version of the plugin contract; it changes only when a plugin must change. */
export const PLUGIN_API = 1

/** What a plugin sees of the session that uses it. */
export interface PluginHost {
  readonly hooks: SessionHooks
  /** Folder of the config file. */
  readonly rootDir: string
  use(plugin: IftPlugin): PluginHost
}

/** A plugin is a plain object; `define*` make one. */
export type IftPlugin = Plugin<PluginHost>

export const definePlugin = (name: string, apply: (host: PluginHost) => void): IftPlugin => ({
  name,
  api: PLUGIN_API,
  apply,
})

const definer =
  <D extends { readonly name: string }>(kind: string, registry: (hooks: SessionHooks) => Registry<D>) =>
  (definition: D): IftPlugin => {
    const name = `${kind}:${definition.name}`
    return definePlugin(name, ({ hooks }) => {
      registry(hooks)
        .for(definition.name)
        .tap(name, () => definition)
    })
  }

/** A model family. */
export const defineModel: <C>(definition: ModelDefinition<C>) => IftPlugin = definer<ModelDefinition>(
  'model',
  (hooks) => hooks.model,
)
/** A parameter-efficient method. */
export const definePeft: <O>(method: PeftMethod<O>) => IftPlugin = definer<PeftMethod>(
  'peft',
  (hooks) => hooks.peft,
)
/** An instruction dataset. */
export const defineDataset = definer<DatasetDefinition>('dataset', (hooks) => hooks.dataset)
/** A prompt template. */
export const defineTemplate = definer<PromptTemplate>('template', (hooks) => hooks.template)
/** A kind of tokenizer file. */
export const defineTokenizer = definer<TokenizerDefinition>('tokenizer', (hooks) => hooks.tokenizer)
/** A kind of device. */
export const defineBackend = definer<BackendDefinition>('backend', (hooks) => hooks.backend)

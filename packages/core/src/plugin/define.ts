import type {
  BackendDefinition,
  ConstraintDefinition,
  DatasetDefinition,
  ExportDefinition,
  ModelDefinition,
  OptimizerDefinition,
  PeftMethod,
  Plugin,
  PromptTemplate,
  TaskDefinition,
  TokenizerDefinition,
  Operand,
  Verb,
  VerbOption,
} from '../contract/index.js'
import type { Registry, SessionHooks } from './hooks.js'

/** Version of the plugin contract; it changes only when a plugin must change. */
export const PLUGIN_API = 1

/** The part of a session that a plugin uses. */
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
/** An optimizer. */
export const defineOptimizer: <O>(definition: OptimizerDefinition<O>) => IftPlugin =
  definer<OptimizerDefinition>('optimizer', (hooks) => hooks.optimizer)
/** An instruction dataset. */
export const defineDataset = definer<DatasetDefinition>('dataset', (hooks) => hooks.dataset)
/** A prompt template. */
export const defineTemplate = definer<PromptTemplate>('template', (hooks) => hooks.template)
/** A kind of tokenizer file. */
export const defineTokenizer = definer<TokenizerDefinition>('tokenizer', (hooks) => hooks.tokenizer)
/** A kind of constraint on answers. */
export const defineConstraint = definer<ConstraintDefinition>('constraint', (hooks) => hooks.constraint)
/** A format that models are exported to. */
export const defineExport = definer<ExportDefinition>('export', (hooks) => hooks.export)
/** A task that models are evaluated on. */
export const defineTask: <D, O>(definition: TaskDefinition<D, O>) => IftPlugin = definer<TaskDefinition>(
  'task',
  (hooks) => hooks.task,
)
/** A kind of device. */
export const defineBackend = definer<BackendDefinition>('backend', (hooks) => hooks.backend)

type Options = Readonly<Record<string, VerbOption>>
type Operands = Readonly<Record<string, Operand>>
type None = Readonly<Record<string, never>>

/** A verb as it is declared; the types of its options and operands come from their declarations. */
export const verb = <const O extends Options = None, const A extends Operands = None>(
  declaration: Verb<O, A>,
): Verb => declaration

/** A verb of the command line; the manifest of its package names it too, so that it is found without being loaded. */
export const defineVerb = <const O extends Options = None, const A extends Operands = None>(
  declaration: Verb<O, A>,
): IftPlugin => registerVerb(verb(declaration))

const registerVerb = definer<Verb>('verb', (hooks) => hooks.verb)

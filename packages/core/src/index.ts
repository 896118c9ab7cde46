export { IftError, type ErrorCode } from '@ift/tensor'
export * from './checkpoint/index.js'
export { hubSettings, type HubSettings } from './config/env.js'
export { configJsonSchema, optionRows, type OptionRow } from './config/json-schema.js'
export { loadConfigFile, type LoadedConfig } from './config/load.js'
export {
  configSchema,
  defineConfig,
  type DataEntry,
  type DataSource,
  type GenerateConfig,
  type IftConfig,
  type ResolvedConfig,
  type TrainConfig,
} from './config/schema.js'
export { suggest } from './suggest.js'
export { check, resolveConfig } from './config/validate.js'
export * from './data/index.js'
export type * from './generate/types.js'
export type * from './plugin/contract/index.js'
export {
  defineBackend,
  defineDataset,
  defineModel,
  definePeft,
  definePlugin,
  defineTemplate,
  defineTokenizer,
  PLUGIN_API,
  type IftPlugin,
  type PluginHost,
} from './plugin/define.js'
export {
  createSessionHooks,
  createTrainerHooks,
  type DataContext,
  type SessionHooks,
  type TrainerHandle,
  type TrainerHooks,
} from './plugin/hooks.js'
export { candidates, type PluginKind } from './plugin/resolve.js'
export { PluginSession } from './plugin/session.js'
export * from './source/index.js'
export type * from './train/types.js'

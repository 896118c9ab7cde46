export { IftError, type ErrorCode } from '@ift/tensor'
export * from './contract/index.js'
export * from './files/index.js'
export * from './checkpoint/index.js'
export { hubSettings, type HubSettings } from './config/env.js'
export { configJsonSchema, optionRows, type OptionRow } from './config/json-schema.js'
export { rankPlacement } from './config/ranks.js'
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
export { check, configFaults, resolveConfig, writtenOf, type ConfigFault } from './config/validate.js'
export * from './data/index.js'
export {
  defineBackend,
  defineConstraint,
  defineDataset,
  defineExport,
  defineModel,
  defineOptimizer,
  definePeft,
  definePlugin,
  defineTask,
  defineTemplate,
  defineTokenizer,
  defineVerb,
  PLUGIN_API,
  verb,
  type IftPlugin,
  type PluginHost,
} from './plugin/define.js'
export { type DataContext, type SessionHooks, type TrainerHandle, type TrainerHooks } from './plugin/hooks.js'
export type { Card } from './plugin/card.js'
export { catalogue, type CataloguePackage } from './plugin/catalogue.js'
export type { InstalledPackage } from './plugin/installed.js'
export { catalogueDatasets, knownDatasets, type KnownDataset } from './plugin/known-datasets.js'
export { namesOf, nouns, readProvides, type Noun, type Provides } from './plugin/manifest.js'
export { candidates, type PluginKind } from './plugin/names.js'
export { PluginSession } from './plugin/plugin-session.js'
export * from './source/index.js'
export { Ift, type LoadOptions } from './ift.js'
export { probeIds, probeLogits, type Merged } from './session/merged.js'
export type { SumOptions } from './session/sum-adapters.js'
export { adaptersOf, baseName } from './config/adapters.js'
export { cachePath } from './session/cache.js'
export type { Quantize } from './session/model-files.js'
export { asSource, type RecordSource } from './session/record-source.js'
export type { Speed } from './session/measure.js'
export type { OpenModel } from './session/open-model.js'
export { modelIdentity, type ContentHashes } from './session/identity.js'
export type { SharedText } from './data/duplicates/index.js'
export type { OverlapReport } from './session/shared-with-data.js'
export type { AuditOptions } from './session/audit-data.js'
export type { FetchDataset, FetchFile, FetchOptions, FetchPlan, FetchProgress } from './session/fetch-data.js'
export { countOf, countText, crowdedText } from './session/examination-notes.js'
export type { FirstExample } from './session/first-example.js'
export type { RunData } from './session/run-data.js'
export type { DataRow, DataRowsOptions, RowFate } from './session/data-rows.js'
export { unknownColumns, type UnknownColumns } from './session/column-mapping.js'
export type { ModelFiles } from './session/model-files.js'
export type { RunPlan } from './session/run-record.js'
export type { Answer } from './generate/engine/answer.js'
export { AnswerText } from './session/answer-text.js'
export type { AnswerOptions, EngineLoad, ScoreOptions } from './generate/engine/engine.js'
export type { ScoredText } from './generate/engine/score-job.js'
export {
  TextGenerator,
  type AllOptions,
  type GeneratorOptions,
  type Prompt,
  type StreamOptions,
} from './session/text-generator.js'
export type { Training, TrainingOptions } from './session/training.js'
export {
  countMemory,
  wholeBatch,
  type Attached,
  type CountedMemory,
  type CountedRun,
} from './train/count-memory.js'
export { runHolder, type RunHolder } from './train/run-lock.js'
export { builtinOptimizers } from './train/optimizer/index.js'
export { plan, type Plan, type PlanInput } from './train/plan.js'
export type { Remedy } from './train/remedies.js'
export { chart, chartImage, escapeHtml, type ChartOptions, type Series } from './train/report/chart.js'
export { lossCurves, type ReportSample } from './train/report/report.js'
export { style as reportStyle } from './train/report/style.js'
export { metricsFile } from './train/line-file.js'
export { RunFolder, type Manifest } from './train/run-folder.js'
export type { Trainer } from './train/trainer.js'
export { version } from './version.js'
export { readExamples, type LocatedExample } from './data/build.js'
export { convertData, convertTargets, type ConvertTarget } from './data/convert.js'
export { inspectSample, type InspectedToken } from './data/inspect.js'
export { columnForms, type ColumnForm, type ColumnMapping } from './data/format/guess-columns.js'
export { isMixture, type MixtureRow } from './data/mixture/index.js'
export { DataStats } from './data/stats.js'
export { validateData } from './data/validate.js'

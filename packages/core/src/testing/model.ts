import type { ModelDefinition } from '../contract/model.js'
import type { IftPlugin } from '../plugin/define.js'
import { PluginSession } from '../plugin/plugin-session.js'
import type { ConformanceCase } from './dataset.js'
import { ModelBench, type ModelConformanceOptions } from './model-bench.js'
import { goldenGradients, goldenLogits } from './model-golden.js'
import {
  decoding,
  differences,
  embeds,
  leaks,
  packing,
  recomputing,
  rows,
  sharing,
  virtualTokens,
} from './model-numerics.js'
import { bounds, fields, lengths, sizes, tokenizers } from './model-refusals.js'
import { roles } from './model-roles.js'
import { builds, loading, names, refusals, saving, shapes, starts } from './model-structure.js'

/** The definitions that a plugin registers. */
export function modelsOf(plugin: IftPlugin): ModelDefinition[] {
  const session = new PluginSession(process.cwd()).use(plugin)
  return session.hooks.model.names().map((name) => session.hooks.model.find(name)!)
}

/**
 * Requirements of every model family, as cases to run: `for (const { name, run } of modelConformance(…)) test(name,
 * run)`.
 */
export function modelConformance(
  subject: IftPlugin | ModelDefinition,
  options: ModelConformanceOptions,
): ConformanceCase[] {
  const definitions = 'apply' in subject ? modelsOf(subject) : [subject]
  return definitions.flatMap((definition) => casesOf(definition, options))
}

function casesOf(definition: ModelDefinition, options: ModelConformanceOptions): ConformanceCase[] {
  const bench = new ModelBench(definition, options)
  const named = (name: string, run: () => Promise<void>): ConformanceCase => ({
    name: `${definition.name}: ${name}`,
    run,
  })
  const { golden } = options
  return [
    named('a config builds modules and nothing else', () => builds(bench)),
    named('parameters have the names of checkpoints', () => names(bench)),
    named('every parameter has a start', () => starts(bench)),
    named('shape() is what attention sees', () => shapes(bench)),
    named('roles name the modules that play them', () => roles(bench)),
    named('gradients agree with finite differences', () => differences(bench)),
    named('packed sequences equal one at a time', () => packing(bench)),
    named('wanted rows equal the same rows of all', () => rows(bench)),
    named('embedded ids equal ids', () => embeds(bench)),
    named('decoding with a cache equals one forward pass', () => decoding(bench)),
    named('recomputed gradients equal kept ones bit for bit', () => recomputing(bench)),
    named('a beginning that samples share is computed once', () => sharing(bench)),
    named('virtual tokens with the values of tokens are the tokens', () => virtualTokens(bench)),
    named('no buffer outlives a pass, a step or an error', () => leaks(bench)),
    named('what is saved loads to the same values', () => saving(bench)),
    named('PyTorch files, one or sharded, load to the same values', () => loading(bench)),
    named('missing, left over and misshapen tensors are named', () => refusals(bench)),
    named('a wrong field of config.json is refused by name', () => fields(bench)),
    named('a size beyond any model takes neither time nor memory', () => bounds(bench)),
    named('a config without its sizes is refused', () => sizes(bench)),
    named('a tokenizer of another model is refused', () => tokenizers(bench)),
    named('a prompt over the limit is refused', () => lengths(bench)),
    ...(golden === undefined
      ? []
      : [
          named('logits and loss equal the golden ones', () => goldenLogits(bench, golden)),
          named('gradients equal the golden ones', () => goldenGradients(bench, golden)),
        ]),
  ]
}

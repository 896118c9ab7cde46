import type { Input } from '../files/inputs.js'
import { localPath } from '../files/paths.js'
import { adaptersOf } from '../config/adapters.js'
import type { ResolvedConfig } from '../config/schema.js'
import { diskFiles } from '../data/read/index.js'
import { evaluationEntries, evaluationSource } from './evaluations.js'
import { fileSources } from './record-source.js'

/** Paths of a model in the config. */
export const modelInputs = (
  rootDir: string,
  { weights, adapter, tokenizer }: Pick<ResolvedConfig, 'weights' | 'adapter' | 'tokenizer'>,
): Input[] =>
  [
    ['the base model', weights] as const,
    ...(typeof adapter === 'string' ? [['the adapter', adapter] as const] : []),
    ...[...(adaptersOf({ adapter }) ?? [])].map(([name, path]) => [`the adapter ${name}`, path] as const),
    ['the tokenizer', tokenizer] as const,
  ].flatMap(([what, path]) => (path === undefined ? [] : [{ what, path: localPath(rootDir, path) }]))

/** Everything that a run of this config reads from this machine. */
export async function inputsOf(rootDir: string, config: ResolvedConfig, modelDir: string): Promise<Input[]> {
  const at = (path: string) => localPath(rootDir, path)
  const inputs: Input[] = [{ what: 'the base model', path: modelDir }, ...modelInputs(rootDir, config)]
  const { data, validation, decontaminate } = config
  for (const entry of [
    data,
    validation.data ?? [],
    evaluationEntries(decontaminate).map(evaluationSource),
  ].flat())
    // Unreadable files are refused where they are read.
    for (const { path } of await fileSources(rootDir, entry).catch(() => []))
      if (path !== undefined)
        for (const file of await diskFiles(at(path)).catch(() => []))
          inputs.push({ what: 'data', path: file })
  const { file } = config.train.samples
  for (const { data: test, shotsData } of config.evaluate.tasks)
    for (const path of shotsData === undefined ? [test] : [test, shotsData])
      for (const found of await diskFiles(at(path)).catch(() => []))
        inputs.push({ what: 'data of a task', path: found })
  if (file !== undefined) inputs.push({ what: 'the prompts', path: at(file) })
  return inputs
}

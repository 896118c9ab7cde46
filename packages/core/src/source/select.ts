import { adapterConfig, adapterWeights, isAdapterFile } from '../files/adapter-files.js'
import { mostPrefixBytes } from '../files/bounds.js'
import { isArchive, isDataFile, isDatasetList } from '../files/data-names.js'
import { isPattern, pathMatcher } from '../files/pattern.js'
import type { HubFile, SourceKind } from './types.js'

const tokenizerFiles = [
  'tokenizer.json',
  'tokenizer.model',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'chat_template.jinja',
]
const textFiles = new Set([
  ...tokenizerFiles,
  'config.json',
  'generation_config.json',
  'chat_template.json',
  'model.safetensors.index.json',
])
/** Files that packages of data sets may read. */
const textFile = /\.txt(\.gz|\.zst)?$/i
const notData = /(^|\/)(README[^/]*|LICENSE[^/]*|requirements\.txt|\.[^/]*)$/i

const inRoot = (path: string) => !path.includes('/')

/**
 * The weights to fetch: safetensors in the layout that transformers loads, pickles only without them, a GGUF only when
 * it is the only one, in one file or in parts. Copies of the same weights in other types or layouts stay where they are.
 */
function weightsOf(paths: readonly string[]): string[] {
  const root = paths.filter((path) => inRoot(path) && !isAdapterFile(path))
  const matching = (pattern: RegExp) => root.filter((path) => pattern.test(path))
  const choices = [
    matching(/^model\.safetensors$/),
    matching(/^model-\d+-of-\d+\.safetensors$/),
    matching(/^(?!consolidated).*\.safetensors$/),
    matching(/\.safetensors$/),
    matching(/^pytorch_model\.bin$/),
    matching(/^pytorch_model(-\d+-of-\d+\.bin|\.bin\.index\.json)$/),
    matching(/^(?!training_args|optimizer|scheduler).*\.(bin|pt|pth)$/),
  ]
  const found = choices.find((files) => files.some((file) => !file.endsWith('.json')))
  if (found) return found
  const gguf = matching(/\.gguf$/i)
  const models = new Set(gguf.map((path) => path.replace(/-\d{5}(-of-\d{5}\.gguf)$/i, '$1')))
  return models.size === 1 ? gguf : []
}

/** Names of all parts of a GGUF file by one of them. */
function partsOf(path: string): string[] {
  const [, stem, count, end] = /^(.*)-\d{5}-of-(\d{5})(\.gguf)$/i.exec(path) ?? []
  if (stem === undefined) return [path]
  return Array.from(
    { length: Number(count) },
    (_, i) => `${stem}-${String(i + 1).padStart(5, '0')}-of-${count!}${end!}`,
  )
}

/** The files with the tensors of an adapter; none where what tells its format is missing. */
function adapterFiles(paths: readonly string[]): string[] {
  const first = (names: readonly string[]) => names.filter((name) => paths.includes(name)).slice(0, 1)
  const { peft, adapterHub, prefixEncoder } = adapterWeights
  // Which of the two a repository with both means, its settings say.
  if (paths.includes(adapterConfig)) return [...first(peft), ...first(adapterHub)]
  // Safetensors of that name are a model's: the trainer of these prefixes writes pickles.
  return paths.includes('config.json') ? first(prefixEncoder.filter((name) => name.endsWith('.bin'))) : []
}

/** The files of a repository that a kind of source needs, or that the patterns name. */
export function selectFiles(
  files: readonly HubFile[],
  kind: SourceKind,
  patterns: readonly string[] | undefined,
): HubFile[] {
  // A model that is named as an adapter is told by its files of settings: its weights are not fetched for that.
  const isModel = ({ path, size }: HubFile) =>
    adapterWeights.prefixEncoder.some((name) => name === path) && size > mostPrefixBytes
  const known = kind === 'adapter' ? files.filter((file) => !isModel(file)) : files
  const wanted = new Set(
    selectPaths(
      known.map(({ path }) => path),
      kind,
      patterns,
    ),
  )
  return files.filter(({ path }) => wanted.has(path))
}

export function selectPaths(
  paths: readonly string[],
  kind: SourceKind,
  patterns: readonly string[] | undefined,
): string[] {
  if (patterns) {
    const matchers = patterns.map(pathMatcher)
    return paths.filter((path) => patterns.includes(path) || matchers.some((matches) => matches(path)))
  }
  if (kind === 'dataset') {
    const files = paths.filter((path) => !notData.test(path) && !isDatasetList(path))
    const data = files.filter((path) => isDataFile(path) || textFile.test(path))
    // Many repositories have an archive of the same files beside them.
    return data.length > 0 ? data : files.filter(isArchive)
  }
  if (kind === 'adapter') {
    const weights = adapterFiles(paths)
    return paths.filter(
      (path) =>
        weights.includes(path) ||
        (inRoot(path) && /\.(json|jinja)$/.test(path)) ||
        tokenizerFiles.includes(path),
    )
  }
  const weights = new Set(weightsOf(paths))
  return paths.filter((path) => textFiles.has(path) || weights.has(path))
}

/**
 * Missing files of a repository when only the cached files are known, not the whole list: files that an index names,
 * and the kinds of file that every source of its kind needs.
 */
export function missingFrom(
  paths: readonly string[],
  kind: SourceKind,
  patterns: readonly string[] | undefined,
  shardsOf: readonly string[],
): string[] {
  if (patterns) {
    const exact = patterns.filter((pattern) => !isPattern(pattern) && !paths.includes(pattern))
    const unmatched = patterns.filter((pattern) => isPattern(pattern) && !paths.some(pathMatcher(pattern)))
    return [...exact, ...unmatched]
  }
  if (kind === 'dataset') return selectPaths(paths, kind, undefined).length > 0 ? [] : ['data files']
  if (kind === 'adapter') {
    if (adapterFiles(paths).length > 0) return []
    return [...(paths.includes(adapterConfig) ? [] : [adapterConfig]), adapterWeights.peft[0]]
  }
  const weights = weightsOf(paths).filter((path) => !path.endsWith('.json'))
  const gguf = weights.find((path) => /\.gguf$/i.test(path))
  // A file in parts has all of them.
  if (gguf !== undefined) return partsOf(gguf).filter((path) => !paths.includes(path))
  return [
    ...(paths.includes('config.json') ? [] : ['config.json']),
    ...(weights.length > 0 ? [] : ['weights (*.safetensors)']),
    ...shardsOf.filter((shard) => !paths.includes(shard)),
    ...(paths.some((path) => /^(tokenizer\.(json|model)|vocab\.json)$/.test(path)) ? [] : ['tokenizer.json']),
  ]
}

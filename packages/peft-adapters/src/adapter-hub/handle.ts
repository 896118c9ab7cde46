import type { AdapterFiles, AdapterSource, PeftContext } from '@ift/core'
import { ModuleHandle, modulePrefix, type ModuleOptions } from '@ift/core/peft'
import type { SublayerAdapter } from './layer.js'
import { sublayerOf } from './place.js'

/** The adapter's own name, which stands in the names of its tensors. */
export const nameOf = ({ adapter }: Pick<PeftContext, 'adapter'>): string => {
  const name = adapter?.config['name']
  return typeof name === 'string' && name !== '' ? name : 'ift'
}

/** The name of a tensor in AdapterHub's files: under the decoder layer, the place in it and the adapter's name. */
export function fileName(name: string, context: PeftContext): string {
  const [, path, end] = /^(.*)\.(scaling|adapter_(?:norm_before|down|up|norm_after)\..*)$/.exec(
    name.slice(modulePrefix.length),
  )!
  const { layer, kind } = sublayerOf(path!, context)
  return `${layer}.${kind}_adapters.adapters.${nameOf(context)}.${end!}`
}

/** The norm in front of a bottleneck is a member of two lists in PyTorch's module, and stands in the file under both names. */
const twin = (name: string) => name.replace(/\.adapter_norm_before\.(weight|bias)$/, '.adapter_down.0.$1')

/** An adapter in the files of AdapterHub. */
export class AdapterHubHandle<O extends ModuleOptions> extends ModuleHandle<O, SublayerAdapter> {
  override async save(): Promise<AdapterFiles> {
    const { config, tensors } = await super.save()
    const all = new Map(tensors)
    for (const [name, tensor] of tensors) all.set(twin(name), tensor)
    return { format: 'adapter-hub', config, tensors: all }
  }
}

/** A file of AdapterHub as the handle reads it: each tensor once, under the name of a model with a head. */
export function asHere(source: AdapterSource, names: ReadonlySet<string>): AdapterSource {
  const twins = new Set([...names].filter((name) => twin(name) !== name).map(twin))
  // Saved from a model without a head, names lack the part of the path that the head gave them.
  const inner = new Map([...names, ...twins].map((name) => [name.slice(name.indexOf('.') + 1), name]))
  const found = new Map<string, string>()
  for (const name of source.names()) {
    const known = names.has(name) ? name : (inner.get(name) ?? name)
    if (!twins.has(known) || names.has(known)) found.set(known, name)
  }
  return {
    config: source.config,
    path: source.path,
    names: () => found.keys(),
    shape: (name) => source.shape(found.get(name)!),
    read: (name) => source.read(found.get(name)!),
  }
}

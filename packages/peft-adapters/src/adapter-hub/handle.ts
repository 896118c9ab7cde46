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

  override load(source: AdapterSource): Promise<void> {
    const wanted = new Set([...this.trainable()].map(({ name }) => name))
    const twins = new Set([...wanted].filter((name) => twin(name) !== name).map(twin))
    // Saved from a model without a head, names lack the part of the path that the head gave them.
    const inner = new Map([...wanted, ...twins].map((name) => [name.slice(name.indexOf('.') + 1), name]))
    const names = new Map<string, string>()
    for (const name of source.names()) {
      const known = wanted.has(name) ? name : (inner.get(name) ?? name)
      if (!twins.has(known) || wanted.has(known)) names.set(known, name)
    }
    return super.load({
      config: source.config,
      path: source.path,
      names: () => names.keys(),
      shape: (name) => source.shape(names.get(name)!),
      read: (name) => source.read(names.get(name)!),
    })
  }
}

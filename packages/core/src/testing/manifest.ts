import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { namesOf, nothing, nouns, readManifest, type Noun, type Provides } from '../plugin/manifest.js'
import { installedPackages } from '../plugin/installed.js'
import type { IftPlugin } from '../plugin/define.js'
import type { SessionHooks } from '../plugin/hooks.js'
import { PluginSession } from '../plugin/plugin-session.js'
import { claim } from './claim.js'
import type { ConformanceCase } from './dataset.js'

/** Facts of a noun as a definition has them, those that a manifest repeats; lists in any order are equal. */
const factsOf: { readonly [N in Noun]?: (hooks: SessionHooks, name: string) => Record<string, unknown> } = {
  model: ({ model }, name) => {
    const { architectures, modelTypes, gguf } = model.find(name)!
    return { architectures, modelTypes, gguf: gguf?.architectures ?? [] }
  },
  peft: ({ peft }, name) => ({ peftTypes: peft.find(name)!.peftTypes }),
  dataset: ({ dataset }, name) => {
    const { description, license, tags, size } = dataset.find(name)!
    return { description, license, tags, size }
  },
  task: ({ task }, name) => ({ description: task.find(name)!.description }),
  verb: ({ verb }, name) => ({ description: verb.find(name)!.description }),
}

const sorted = (value: unknown): unknown => (Array.isArray(value) ? (value as unknown[]).toSorted() : value)

/** What a manifest says of a name. */
function saidOf(provides: Provides, noun: Noun, name: string): Readonly<Record<string, unknown>> {
  const entries = provides[noun]
  return Array.isArray(entries) ? {} : (entries[name] ?? {})
}

/** The field "ift" of a package's package.json and what its plugin registers, one against the other, as cases to run. */
export function manifestConformance(plugin: IftPlugin, folder: string): ConformanceCase[] {
  const open = () => ({
    hooks: new PluginSession(folder).use(plugin).hooks,
    provides: readManifest(join(folder, 'package.json')).provides ?? nothing,
  })
  const check = (noun: Noun) => {
    const { hooks, provides } = open()
    const registered = hooks[noun].names()
    const others = installedPackages([folder]).flatMap((one) => namesOf(one.provides, noun))
    const said = namesOf(provides, noun)
    for (const name of said) {
      claim(
        registered.includes(name),
        `package.json names ${noun} "${name}", which the plugin does not register.`,
      )
      const facts = factsOf[noun]?.(hooks, name) ?? {}
      const written = saidOf(provides, noun, name)
      for (const [field, value] of Object.entries(facts))
        claim(
          isDeepStrictEqual(sorted(written[field]), sorted(value)),
          `${noun}.${name}.${field}: package.json says ${JSON.stringify(written[field])}, the plugin registers ${JSON.stringify(value)}.`,
        )
    }
    for (const name of registered)
      claim(
        said.includes(name) || others.includes(name),
        `The plugin registers ${noun} "${name}", which package.json does not name: ift.provides.${noun}.`,
      )
  }
  return [
    {
      name: 'package.json describes the package',
      run: () => {
        claim(
          nouns.some((noun) => namesOf(open().provides, noun).length > 0),
          'package.json has no field "ift" with `provides`, or it is empty.',
        )
        return Promise.resolve()
      },
    },
    ...nouns.map((noun) => ({
      name: `package.json and the plugin agree on ${noun}`,
      run: () => {
        check(noun)
        return Promise.resolve()
      },
    })),
  ]
}

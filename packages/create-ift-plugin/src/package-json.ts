import type { PluginNames, PluginNoun } from './nouns/index.js'
import { tools } from './tools.js'
import { version } from './version.js'

/**
 * Versions of ift that a plugin fits. Before 1.0 the range ^0.n would end with the next minor version, although the number of the plugin
 * interface, which the core checks, says whether a plugin fits.
 */
export const rangeOf = (from: string): string => (from.startsWith('0.') ? `>=${from} <1` : `^${from}`)

/** package.json of a plugin, with the description of itself that ift reads. */
export function packageJson(
  { noun, facts, dependencies = [], devDependencies = [], files = [] }: PluginNoun,
  names: PluginNames,
  packageName: string,
): Readonly<Record<string, unknown>> {
  const range = rangeOf(version)
  const ours = (packages: readonly string[]) => Object.fromEntries(packages.map((name) => [name, range]))
  return {
    name: packageName,
    version: '0.1.0',
    description: `The ${noun} ${names.name} for ift.`,
    keywords: ['ift', 'ift-plugin'],
    // Whoever publishes it chooses one.
    license: 'UNLICENSED',
    type: 'module',
    sideEffects: false,
    engines: { node: '>=20.19' },
    ift: { provides: { [noun]: facts ? { [names.name]: facts(names) } : [names.name] } },
    exports: {
      '.': { types: './dist/index.d.ts', default: './dist/index.js' },
      './package.json': './package.json',
    },
    files: ['dist', ...files],
    scripts: {
      build: 'tsup',
      test: 'vitest run',
      typecheck: 'tsc',
      prepack: 'tsup',
    },
    ...(dependencies.length > 0 ? { dependencies: ours(dependencies) } : {}),
    peerDependencies: ours(['@ift/core']),
    devDependencies: { ...ours(['@ift/core', ...devDependencies]), ...tools },
  }
}

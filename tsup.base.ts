import { defineConfig, type Options } from 'tsup'

/** The build of one package: ES modules with declarations, dependencies left outside. */
export const packageBuild = (options: Options = {}) =>
  defineConfig({
    entry: ['src/index.ts'],
    format: ['esm'],
    target: 'node20',
    clean: true,
    sourcemap: false,
    // tsup hands `baseUrl` to TypeScript 6, which refuses it unless told otherwise.
    dts: { compilerOptions: { ignoreDeprecations: '6.0', noEmit: false } },
    ...options,
  })

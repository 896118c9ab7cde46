import { defineConfig } from 'tsup'

export default defineConfig({
  entry: ['src/index.ts'],
  format: ['esm'],
  target: 'node20',
  clean: true,
  // tsup hands `baseUrl` to TypeScript 6, which refuses it unless told otherwise.
  dts: { compilerOptions: { ignoreDeprecations: '6.0', noEmit: false } },
})

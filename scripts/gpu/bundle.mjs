// Bundles bench/gpu with the sources of every package it uses into one file: node scripts/gpu/bundle.mjs OUT.mjs
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
// The bundler that tsup brings.
const tsup = createRequire(createRequire(join(root, 'package.json')).resolve('tsup'))
const esbuild = tsup('esbuild')
const out = process.argv[2]
if (out === undefined) {
  process.stderr.write('usage: node scripts/gpu/bundle.mjs OUT.mjs\n')
  process.exit(2)
}
await esbuild.build({
  entryPoints: [join(root, 'bench/gpu/main.ts')],
  outfile: out,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  // Only for configs in TypeScript.
  external: ['jiti'],
  tsconfig: join(root, 'tsconfig.json'),
  banner: {
    js: "import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);",
  },
  logLevel: 'warning',
})

// The dependency rule of ARCHITECTURE.md: which package may import which, which folder of a package and which module of a
// crate lies below which, and that test/ sees of a package what anyone sees.
import { fileURLToPath } from 'node:url'
import { foreignImports } from './imports/packages.mjs'
import { upwardModules } from './imports/rust.mjs'
import { privateImports } from './imports/tests.mjs'
import { upwardImports } from './imports/typescript.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const faults = [
  ...foreignImports(root),
  ...upwardImports(root),
  ...upwardModules(root),
  ...privateImports(root),
]
for (const fault of faults) console.error(fault)
if (faults.length) process.exit(1)
console.log('imports follow the rule')

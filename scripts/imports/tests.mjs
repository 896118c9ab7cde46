// What the tests of test/ see of a package: what anyone sees who installs it, and its *.fixture.ts.
import { readdirSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { importsIn } from './typescript.mjs'

/** @param {string} folder */
const scripts = (folder) =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(ts|mjs)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))

/**
 * The imports of test/ that reach into the files of a package, a line each.
 * @param {string} root
 */
export function privateImports(root) {
  return scripts(join(root, 'test')).flatMap((file) =>
    importsIn(file)
      .filter((name) => name.startsWith('.'))
      .filter((name) => relative(root, resolve(dirname(file), name)).split(sep)[0] === 'packages')
      .filter((name) => !/\.fixture\.js$/.test(name))
      .map((name) => `${relative(root, file)} imports ${name}: a test of a private file lies beside it`),
  )
}

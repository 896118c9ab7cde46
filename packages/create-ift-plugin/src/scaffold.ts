import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { IftError } from '@ift/tensor'
import { namesOf, packageName } from './names.js'
import type { PluginNames, PluginNoun } from './nouns/index.js'
import { packageJson } from './package-json.js'

/** A plugin to write. */
export interface ScaffoldRequest {
  readonly noun: PluginNoun
  readonly name: string
  /** Name of the package; that under which ift looks for it when absent. */
  readonly package?: string | undefined
}

const templates = fileURLToPath(new URL('../templates/', import.meta.url))

/** npm leaves .gitignore out of packages. */
const published = new Map([['gitignore', '.gitignore']])

/** Puts names in place of `__name__`, `__Name__`, `__NAME__` and `__package__`. */
const filled = (text: string, names: PluginNames, packageName: string): string => {
  const values: Readonly<Record<string, string>> = {
    name: names.name,
    Name: names.pascal,
    NAME: names.upper,
    package: packageName,
  }
  // The templates are formatted, and a formatter takes quotes from a key that is a word; a name with hyphens is none.
  const quoted = text.replaceAll(/^( +)__name__: \{$/gm, "$1'__name__': {")
  return quoted.replaceAll(/__(name|Name|NAME|package)__/g, (_, key: string) => values[key]!)
}

/** Files of a folder of templates by their paths in the plugin, with slashes. */
function templateFiles(folder: string): Map<string, string> {
  const root = join(templates, folder)
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(
    files.map(({ parentPath, name }) => {
      const path = relative(root, join(parentPath, name)).split(sep).join('/')
      return [published.get(path) ?? path, readFileSync(join(parentPath, name), 'utf8')]
    }),
  )
}

/** Files of a plugin, by their paths in its folder. IFT_USAGE for names that cannot be. */
export function scaffold(request: ScaffoldRequest): ReadonlyMap<string, string> {
  const names = namesOf(request.name)
  const ownName = packageName(request.noun, names, request.package)
  const json = `${JSON.stringify(packageJson(request.noun, names, ownName), null, 2)}\n`
  const written = [...templateFiles('common'), ...templateFiles(request.noun.noun)]
  return new Map([
    ['package.json', json],
    ...written.map(([path, text]): [string, string] => [
      filled(path, names, ownName),
      filled(text, names, ownName),
    ]),
  ])
}

/** Writes files into a folder, which must be absent or empty: IFT_FOLDER_IN_USE otherwise. */
export function writeFiles(folder: string, files: ReadonlyMap<string, string>): void {
  try {
    mkdirSync(folder, { recursive: true })
    const [there] = readdirSync(folder)
    if (there !== undefined)
      throw new IftError(
        'IFT_FOLDER_IN_USE',
        `${folder}: expected an empty folder, found ${there} in it.`,
        'Name another one: --folder ../my-plugin',
      )
    for (const [path, text] of files) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text, { flag: 'wx' })
    }
  } catch (cause) {
    if (cause instanceof IftError) throw cause
    throw new IftError(
      'IFT_FILE_UNWRITABLE',
      `${folder} could not be written: ${cause instanceof Error ? cause.message : String(cause)}`,
      'Name a folder that can be written: --folder ../my-plugin',
      { cause },
    )
  }
}

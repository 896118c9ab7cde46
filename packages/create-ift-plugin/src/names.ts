import { IftError } from '@ift/tensor'
import type { PluginNames, PluginNoun } from './nouns/index.js'

/** npm's own limit of a package's name. */
const mostPackageName = 214
const mostName = 60

/** The name of a plugin in all its forms. IFT_USAGE for one that a config could not write. */
export function namesOf(name: string): PluginNames {
  if (name.length > mostName || !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name))
    throw new IftError(
      'IFT_USAGE',
      `NAME: expected small letters, digits and single hyphens, a letter first and ${mostName} characters at most, found ${quoted(name)}.`,
      'npm create ift-plugin optimizer heavy-ball',
    )
  const words = name.split('-')
  return {
    name,
    pascal: words.map((word) => `${word[0]!.toUpperCase()}${word.slice(1)}`).join(''),
    upper: words.join('_').toUpperCase(),
  }
}

/** The package of a plugin: as asked for, or the one that ift looks for under the name. IFT_USAGE for what npm refuses. */
export function packageName({ word }: PluginNoun, { name }: PluginNames, asked: string | undefined): string {
  const found = asked ?? `ift-plugin-${word}-${name}`
  const isName = /^(@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*$/.test(found)
  if (isName && found.length <= mostPackageName) return found
  throw new IftError(
    'IFT_USAGE',
    `--package: expected a name that npm accepts, of ${mostPackageName} characters at most, found ${quoted(found)}.`,
    `--package @acme/ift-plugin-${word}-${name}`,
  )
}

/** A text without what a terminal obeys: controls besides the line feed, and the controls of direction. */
export const visible = (text: string): string =>
  text.replaceAll(
    /[\0-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** What somebody typed, short. */
export const quoted = (text: string): string => JSON.stringify(text.slice(0, 80))

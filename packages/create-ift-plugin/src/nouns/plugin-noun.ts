/** Names of a plugin in the forms that its files need. */
export interface PluginNames {
  /** As a config writes it: `low-rank`. */
  readonly name: string
  /** Of classes: `LowRank`. */
  readonly pascal: string
  /** Of a `peft_type`: `LOW_RANK`. */
  readonly upper: string
}

/** What a scaffold is made of, besides the files in `templates/NOUN`. */
export interface PluginNoun {
  /** Noun of the registry, as in the field "ift" of package.json. */
  readonly noun: string
  /** Word in names of packages: `ift-plugin-WORD-NAME`. */
  readonly word: string
  /** For the list of nouns. */
  readonly what: string
  /** What package.json says of the name, where the noun asks for facts; a bare name otherwise. */
  readonly facts?: (names: PluginNames) => Readonly<Record<string, unknown>>
  /** Packages of ift that the sources import besides `@ift/core`, which every plugin has as its peer. */
  readonly dependencies?: readonly string[]
  /** Those that only the test imports. */
  readonly devDependencies?: readonly string[]
  /** Files of the package besides `dist`. */
  readonly files?: readonly string[]
}

/**
 * The names of the original platform that are not those of one dataset here, with what their files hold: plain concatenations, without
 * weights and without removing duplicates, and files with another name. `belle` is BELLE's 0.5M set, `belle1m` its 1M set.
 */
const composites: ReadonlyMap<string, readonly string[]> = new Map([
  ['alpaca-belle', ['alpaca', 'belle']],
  ['alpaca-cot', ['alpaca', 'cot']],
  ['alpaca-belle-cot', ['alpaca', 'belle', 'cot']],
  ['belle1.5m', ['belle', 'belle1m']],
  ['multiturn_chat', ['belle-multiturn']],
  ['CoT_Chinese_data', ['cot-zh']],
])

/** Folders of the original's collection that hold all datasets of a kind. */
const selections: ReadonlyMap<string, string> = new Map([['Chinese-instruction-collection', 'lang:cn']])

/** Names that stand for other datasets. */
export const compositeNames: readonly string[] = [...composites.keys(), ...selections.keys()]

/** The datasets that a name stands for: itself unless it is a composite. */
export const expandComposite = (name: string): readonly string[] => composites.get(name) ?? [name]

/** What the composites among the entries of a config stand for, to tell. */
export const compositeNotes = (entries: readonly { readonly name?: string | undefined }[]): string[] =>
  entries.flatMap(({ name }) => {
    const parts = name === undefined ? undefined : composites.get(name)
    return parts === undefined ? [] : [`${name!} stands for ${parts.join(' and ')}.`]
  })

/** The selection that a name of the original stands for. */
export const compositeSelection = (name: string): string | undefined => selections.get(name)

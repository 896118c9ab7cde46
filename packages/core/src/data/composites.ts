/**
 * The composite names of the original platform with what their files hold: plain concatenations, without weights and
 * without removing duplicates. `belle` is BELLE's 0.5M set, `belle1m` its 1M set.
 */
const composites: ReadonlyMap<string, readonly string[]> = new Map([
  ['alpaca-belle', ['alpaca', 'belle']],
  ['alpaca-cot', ['alpaca', 'cot']],
  ['alpaca-belle-cot', ['alpaca', 'belle', 'cot']],
  ['belle1.5m', ['belle', 'belle1m']],
])

/** Names that stand for several datasets. */
export const compositeNames: readonly string[] = [...composites.keys()]

/** The datasets that a name stands for: itself unless it is a composite. */
export const expandComposite = (name: string): readonly string[] => composites.get(name) ?? [name]

import { effect, signal, type Signal } from '@preact/signals'

/**
 * A choice that this browser keeps. `read` gives the value of a text that was kept, or undefined for one that is none of ours; where the
 * browser keeps nothing (private windows, full storage) the choice lasts as long as the page.
 */
export function stored<T>(
  name: string,
  first: () => T,
  {
    read,
    write,
  }: { readonly read: (text: string) => T | undefined; readonly write: (value: T) => string | null },
): Signal<T> {
  const key = `ift.${name}`
  let kept: string | null = null
  try {
    kept = localStorage.getItem(key)
  } catch {
    // Storage is switched off.
  }
  const value = signal<T>((kept === null ? undefined : read(kept)) ?? first())
  effect(() => {
    const text = write(value.value)
    try {
      if (text === null) localStorage.removeItem(key)
      else localStorage.setItem(key, text)
    } catch {
      // Storage is switched off or full.
    }
  })
  return value
}

/** One of several words. */
export const oneOf = <const T extends string>(...all: readonly T[]) => ({
  read: (text: string): T | undefined => all.find((one) => one === text),
  write: (value: T): string => value,
})

/** Anything that JSON holds, checked by `isValue`. */
export const json = <T>(isValue: (value: unknown) => value is T) => ({
  read: (text: string): T | undefined => {
    try {
      const value: unknown = JSON.parse(text)
      return isValue(value) ? value : undefined
    } catch {
      return undefined
    }
  },
  write: (value: T): string => JSON.stringify(value),
})

import type { Flags } from '../contract/verb.js'
import type * as z from './options.js'
import { adapterOfWords } from './adapters.js'
import { readWords } from './read-words.js'
import { configSchema } from './schema.js'

const isOfMethod = (path: string) => path.startsWith('peft.') && path !== 'peft.method'

function read(schema: z.ZodType, flags: readonly (readonly [path: string, words: readonly string[]])[]) {
  const options: Record<string, unknown> = {}
  const paths = flags.map(([path, words]) => [path.split('.'), words] as const)
  // What is named comes before its options: --train.optimizer.beta2 0.98 --train.optimizer lion
  for (const [keys, words] of paths.sort(([a], [b]) => a.length - b.length)) {
    let at = options
    for (const key of keys.slice(0, -1)) {
      const value = (at[key] ??= {})
      // A name stands for an object that has it.
      at = at[key] = (typeof value === 'string' ? { name: value } : value) as Record<string, unknown>
    }
    // Paths are no numbers and no JSON; a list replaces what the file says.
    at[keys.at(-1)!] =
      keys.join('.') === 'adapter' && words.length > 0
        ? adapterOfWords(words)
        : readWords(schema, keys, words)
  }
  return options
}

/** Options that flags set, nested as a config writes them, without those of the method. */
export const configOfFlags = (flags: Flags): Record<string, unknown> =>
  read(
    configSchema,
    Object.entries(flags)
      .filter(([path]) => !isOfMethod(path))
      // `--peft lora` names the method.
      .map(([path, words]) => [
        path === 'peft' && !/^\s*\{/.test(words[0] ?? '') ? 'peft.method' : path,
        words,
      ]),
  )

/** Whether flags set options of the method, which its own schema reads. */
export const hasMethodFlags = (flags: Flags): boolean => Object.keys(flags).some(isOfMethod)

/** Options of the method that flags set. */
export const methodOptionsOfFlags = (flags: Flags, options: z.ZodType): Record<string, unknown> =>
  read(
    options,
    Object.entries(flags)
      .filter(([path]) => isOfMethod(path))
      .map(([path, words]) => [path.slice('peft.'.length), words]),
  )

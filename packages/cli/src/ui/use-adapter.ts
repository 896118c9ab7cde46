import { baseName, IftError, type OpenModel } from '@ift/core'

/** `--use` of verbs that answer. */
export const useOption = {
  type: 'string',
  value: 'name',
  description: `of several adapters the one that answers; ${baseName} for none; the first one when absent`,
} as const

/** The adapter of an open model that a word means; null for the base. IFT_USAGE where there are not several. */
export function adapterNamed({ adapters }: Pick<OpenModel, 'adapters'>, name: string): string | null {
  if (adapters === null)
    throw new IftError(
      'IFT_USAGE',
      `"${name}" is asked for, and the model has not been opened with several adapters.`,
      'Name them: --adapter NAME=DIR --adapter NAME=DIR',
    )
  if (name === baseName) return null
  // Says which names there are.
  adapters.handle(name)
  return name
}

/** Answers with the adapter of `--use`. */
export function useAdapter(open: Pick<OpenModel, 'adapters'>, name: string | undefined): void {
  if (name === undefined) return
  const adapter = adapterNamed(open, name)
  open.adapters!.use(adapter)
}

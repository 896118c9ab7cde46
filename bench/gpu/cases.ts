import { performance } from 'node:perf_hooks'

/** One case; its result goes into its line. */
export interface Case {
  readonly name: string
  readonly run: () => Promise<object | undefined>
}

/** A failure that has something to show besides its reason. */
export class CaseFailure extends Error {
  constructor(
    message: string,
    readonly result: object,
  ) {
    super(message)
  }
}

/** Longest reason of a failure. */
const longestReason = 2000

/** The names of the cases, a line each. */
export function listCases(cases: readonly Case[]): void {
  for (const { name } of cases) process.stdout.write(`${name}\n`)
}

/**
 * Runs cases in order, those that are named or all: a line of JSON after each. Some errors of a GPU stay with the process they
 * happened in: after a failure `usable` says whether the device still works, and where it does not the process ends, so that
 * whoever reads the lines can start the rest anew. Whether all have passed.
 */
export async function runCases(
  cases: readonly Case[],
  names: readonly string[],
  usable: () => Promise<boolean>,
): Promise<boolean> {
  let passed = true
  const unknown = names.filter((name) => !cases.some((one) => one.name === name))
  if (unknown.length > 0) throw new Error(`no case is named ${unknown.join(', ')}: --list shows the names`)
  for (const { name, run } of cases) {
    if (names.length > 0 && !names.includes(name)) continue
    const begin = performance.now()
    const line = (values: object) => {
      const seconds = Math.round(performance.now() - begin) / 1000
      process.stdout.write(`${JSON.stringify({ case: name, ...values, seconds })}\n`)
    }
    try {
      const result = await run()
      line({ status: 'ok', ...(result === undefined ? {} : { result }) })
    } catch (error) {
      const shown = error instanceof CaseFailure ? { result: error.result } : {}
      line({ status: 'failed', reason: describe(error), ...shown })
      passed = false
      if (!(await usable())) break
    }
  }
  return passed
}

function describe(error: unknown): string {
  const hint = error instanceof Error && 'hint' in error && typeof error.hint === 'string' ? error.hint : ''
  const text = error instanceof Error && error.name === 'IftError' ? error.message : errorText(error)
  return (hint === '' ? text : `${text} (${hint})`).slice(0, longestReason)
}

const errorText = (error: unknown) =>
  error instanceof Error ? (error.stack ?? error.message) : String(error)

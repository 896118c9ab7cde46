import { CommanderError } from 'commander'
import { IftError, type VerbTerminal } from '@ift/core'

/** Exit codes of every verb. */
export const exit = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const

/** Codes of errors that the user's command or config caused: nothing was tried. */
const usageErrors =
  /^IFT_(USAGE|SELECTION|CONFIG_|PLUGIN_NOT_FOUND|GENERATE_OPTION|PEFT_|DATA_FORMAT|RESUME_CONFIG|RANKS_(NO_MPI|ENVIRONMENT|LAUNCHER))/

/** Writes what went wrong, and whose fault it is when nobody foresaw it; the exit code of it. */
export function report(error: unknown, terminal: Pick<VerbTerminal, 'failure'>, whose = 'ift'): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exit.done : exit.usage
  if (error instanceof IftError) {
    terminal.failure(error.message, error.hint, error.code)
    return usageErrors.test(error.code) ? exit.usage : exit.failed
  }
  if (error instanceof Error && error.name === 'AbortError') return exit.interrupted
  terminal.failure(
    error instanceof Error ? (error.stack ?? error.message) : String(error),
    undefined,
    `a fault of ${whose}`,
  )
  return exit.failed
}

import { fileURLToPath } from 'node:url'
import type { Command as CommanderCommand } from 'commander'
import { Ift } from '@ift/core'
import type { Terminal } from '../ui/terminal.js'

/** What a verb is given. */
export interface Context {
  readonly terminal: Terminal
  readonly cwd: string
  readonly configFile?: string
  /** Config options from the command line, nested. */
  readonly overrides: Readonly<Record<string, unknown>>
  /** The verb's own flags. */
  readonly options: Readonly<Record<string, unknown>>
  readonly operands: readonly string[]
}

/** One verb. */
export interface Command {
  readonly name: string
  readonly description: string
  readonly example: string
  /** Adds the verb's own flags. */
  define?(verb: CommanderCommand): void
  /** Returns the exit code. */
  run(context: Context): Promise<number>
}

/** Packages that ship with the command line, the CPU kernels among them, are found from here. */
const here = fileURLToPath(new URL('.', import.meta.url))

/** Opens a session for a verb and closes it however the verb ends. */
export async function withSession<T>(
  context: Pick<Context, 'cwd' | 'configFile' | 'overrides'>,
  run: (ift: Ift) => Promise<T>,
): Promise<T> {
  const { cwd, configFile, overrides } = context
  const ift = await Ift.load({
    cwd,
    overrides,
    searchFrom: [here],
    ...(configFile === undefined ? {} : { configFile }),
  })
  try {
    return await run(ift)
  } finally {
    await ift.close()
  }
}

/** Runs with a signal that Ctrl-C or a hang-up aborts; a second one ends the process at once, as it would without us. */
export async function withInterrupt<T>(
  terminal: Terminal,
  note: string,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  // A launcher of ranks passes SIGUSR2 on and keeps the others for itself.
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', ...(process.platform === 'win32' ? [] : ['SIGUSR2'])]
  const onSignal = () => {
    terminal.note(note)
    controller.abort()
    for (const signal of signals) process.off(signal, onSignal)
  }
  for (const signal of signals) process.on(signal, onSignal)
  try {
    return await run(controller.signal)
  } finally {
    for (const signal of signals) process.off(signal, onSignal)
  }
}

import type { VerbTerminal } from '@ift/core'

/** Runs with a signal that Ctrl-C or a hang-up aborts; a second one ends the process at once, as it would without us. */
export async function untilInterrupted<T>(
  terminal: VerbTerminal,
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

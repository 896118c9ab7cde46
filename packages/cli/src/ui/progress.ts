import type { LogRecord, VerbTerminal } from '@ift/core'
import { bytes, compact, duration } from './format.js'

const barWidth = 18

/** The progress of a run: one redrawn line for a person, a plain line now and then for a log. */
export class Progress {
  readonly #started = performance.now()
  #lastPlain = 0
  #rate = 0

  constructor(
    readonly terminal: VerbTerminal,
    readonly totalSteps: number,
    /** Step that the run started from. */
    readonly firstStep: number,
    readonly memory: () => number,
    /** Seconds between plain lines. */
    readonly interval = 10,
  ) {}

  show({ step, kind, values }: LogRecord): void {
    if (kind === 'eval') {
      this.terminal.err(
        `${this.terminal.style('cyan', 'eval')}  step ${step}  loss ${values['loss']!.toFixed(4)}\n`,
      )
      return
    }
    const tokensPerSecond = values['tokensPerSecond'] ?? 0
    this.#rate = this.#rate ? 0.8 * this.#rate + 0.2 * tokensPerSecond : tokensPerSecond
    const elapsed = (performance.now() - this.#started) / 1000
    const left = (elapsed / Math.max(1, step - this.firstStep)) * (this.totalSteps - step)
    const facts = [
      `step ${step}/${this.totalSteps}`,
      `loss ${values['loss']!.toFixed(4)}`,
      ...(values['penalty'] === undefined ? [] : [`penalty ${values['penalty'].toFixed(4)}`]),
      `${compact(this.#rate)} tok/s`,
      bytes(this.memory()),
      `${duration(left)} left`,
    ].join('  ')
    if (this.terminal.interactive) {
      const full = Math.round((barWidth * step) / this.totalSteps)
      this.terminal.redraw(`${'━'.repeat(full)}${'─'.repeat(barWidth - full)}  ${facts}`)
    } else if (
      elapsed - this.#lastPlain >= this.interval ||
      step === this.totalSteps ||
      step === this.firstStep + 1
    ) {
      this.#lastPlain = elapsed
      this.terminal.err(`${facts}\n`)
    }
  }
}

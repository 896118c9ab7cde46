import type { VerbTerminal } from '@ift/core'
import { styled, visible, visibleBesidesStyles, visibleJson, type Style } from './shown.js'

interface Failure {
  first: Error | null
}

const watched = new WeakMap<NodeJS.WriteStream, Failure>()

/** Without a listener the first write that fails would end the process, and the run in it. */
function watch(stream: NodeJS.WriteStream): Failure {
  let failure = watched.get(stream)
  if (!failure) {
    const fresh: Failure = { first: null }
    stream.on('error', (error) => {
      fresh.first ??= error
    })
    watched.set(stream, fresh)
    failure = fresh
  }
  return failure
}

const aligned = (rows: readonly (readonly [string, string])[]) => {
  const width = rows.reduce((most, [name]) => Math.max(most, name.length), 0)
  return rows.map(([name, value]) => [name.padEnd(width), value] as const)
}

/** Where a command line writes: results to stdout, everything else to stderr. What a person sees passes through `shown.ts`. */
export class Terminal implements VerbTerminal {
  readonly #colour: { readonly stderr: boolean; readonly stdout: boolean }
  #rank = 0
  #line = ''
  readonly #lost: Failure

  constructor(
    readonly stdout: NodeJS.WriteStream = process.stdout,
    readonly stderr: NodeJS.WriteStream = process.stderr,
    env: NodeJS.ProcessEnv = process.env,
  ) {
    const colour = ({ isTTY }: NodeJS.WriteStream) =>
      !env['NO_COLOR'] && (Boolean(env['FORCE_COLOR']) || isTTY)
    this.#colour = { stderr: colour(stderr), stdout: colour(stdout) }
    this.#lost = watch(stdout)
    watch(stderr)
  }

  /** Why a result could not be written; null while all could. A reader that went away has seen what it wanted. */
  get lost(): Error | null {
    const { first } = this.#lost
    return first !== null && 'code' in first && first.code === 'EPIPE' ? null : first
  }

  /** Progress that cannot be shown is not shown. */
  #say(text: string): void {
    try {
      this.stderr.write(text)
    } catch {
      // A disk that is full, a terminal that is gone.
    }
  }

  /** Whether a person watches: one line is redrawn instead of many written. */
  get interactive(): boolean {
    return this.stderr.isTTY
  }

  style(style: Style, text: string, on: 'stderr' | 'stdout' = 'stderr'): string {
    return this.#colour[on] ? styled(style, text) : visible(text)
  }

  /** As a person is shown it. */
  #shown(text: string, on: 'stderr' | 'stdout'): string {
    return this.#colour[on] ? visibleBesidesStyles(text) : visible(text)
  }

  /** Whether results are shown in styles. */
  get showsStyles(): boolean {
    return this.#colour.stdout
  }

  /** One of several ranks writes: all but the first keep quiet, and say who they are when they fail. */
  speakFor(rank: number): void {
    this.#rank = rank
  }

  /** A result: as it is for a program that reads it, shown on a terminal. */
  out(text: string): void {
    this.#result(this.stdout.isTTY ? this.#shown(text, 'stdout') : text)
  }

  view(text: string): void {
    this.#result(this.#shown(text, 'stdout'))
  }

  #result(text: string): void {
    if (this.#rank > 0) return
    this.clear()
    try {
      this.stdout.write(text)
    } catch (error) {
      this.#lost.first ??= error as Error
    }
  }

  /** A result that a machine reads. */
  json(value: unknown): void {
    this.#result(`${visibleJson(JSON.stringify(value, null, 2))}\n`)
  }

  jsonLine(value: unknown): void {
    this.#result(`${visibleJson(JSON.stringify(value))}\n`)
  }

  err(text: string): void {
    if (this.#rank > 0) return
    this.#write(text)
  }

  #write(text: string): void {
    this.clear()
    this.#say(this.#shown(text, 'stderr'))
  }

  note(text: string): void {
    this.err(`${this.style('dim', text)}\n`)
  }

  heading(text: string): void {
    this.err(`${this.style('bold', text)}\n`)
  }

  failure(message: string, hint: string | undefined, code: string): void {
    // One write: lines of several ranks must not come between.
    const lines = [
      `${this.style('red', 'error')} ${message}`,
      ...(hint ? ['', hint] : []),
      this.style('dim', code),
    ]
    const text = lines.join('\n')
    const prefix = this.style('red', `rank ${this.#rank}: `)
    this.#write(`${this.#rank > 0 ? text.replaceAll(/^/gm, prefix) : text}\n`)
  }

  /** Redraws the one line at the bottom; call only when `interactive`. */
  redraw(line: string): void {
    const width = Math.max(20, this.stderr.columns || 80) - 1
    const shown = visible(line)
    this.#line = shown.length > width ? `${shown.slice(0, width - 1)}…` : shown
    this.#say(`\r\x1b[2K${this.#line}`)
  }

  /** Takes the redrawn line away, so that what follows starts on a clean one. */
  clear(): void {
    if (this.#line) this.#say('\r\x1b[2K')
    this.#line = ''
  }

  /** A result in two columns, aligned. */
  table(rows: readonly (readonly [string, string])[], title?: string): void {
    if (title !== undefined) this.view(`${this.style('bold', title, 'stdout')}\n`)
    for (const [name, value] of aligned(rows)) this.view(`  ${this.style('dim', name, 'stdout')}  ${value}\n`)
  }

  /** The same for whoever watches. */
  facts(rows: readonly (readonly [string, string])[]): void {
    for (const [name, value] of aligned(rows)) this.err(`  ${this.style('dim', name)}  ${value}\n`)
  }

  /** Ends the output; afterwards `lost` is final. */
  async close(): Promise<void> {
    this.clear()
    // The error of a write arrives behind it.
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** What options and operands of all types say. */
interface Described {
  readonly description: string
}

interface OptionBase extends Described {
  /** A letter that stands for the option: 'o' for -o. */
  readonly short?: string
  /** What stands for the value in the help text: 'file' for --output <file>. */
  readonly value?: string
  /** The command line is refused without it. */
  readonly required?: true
}

/** A number within bounds; what is not one is refused with the name of the flag. */
interface NumberOption extends OptionBase {
  readonly type: 'integer' | 'number'
  readonly default?: number
  readonly min?: number
  readonly max?: number
}

interface TextOption extends OptionBase {
  readonly type: 'string'
  readonly default?: string
  /** The flag may stand alone, and is then `true`. */
  readonly bare?: true
  /** The flag may be given several times: its values are a list. */
  readonly several?: true
}

/** One of several words. */
interface ChoiceOption extends OptionBase {
  readonly type: 'choice'
  readonly choices: readonly string[]
  readonly default?: string
}

/** A flag without a value: false when it is not there. */
interface Switch extends Described {
  readonly type: 'boolean'
  readonly short?: string
}

/** A flag of a verb. Its name is the key that it stands under, with hyphens: `keepAll` is `--keep-all`. */
export type VerbOption = NumberOption | TextOption | ChoiceOption | Switch

/** A word of the command line that is no flag. */
export interface Operand extends Described {
  readonly required?: true
  readonly choices?: readonly string[]
  /** All words that are left, as a list; for the last operand. */
  readonly several?: true
  /** `-key:value` is a word of it as well, and no option. */
  readonly denies?: true
}

type ValueOf<O> = O extends { readonly type: 'boolean' }
  ? boolean
  : O extends { readonly type: 'integer' | 'number' }
    ? number
    : O extends { readonly choices: readonly (infer C)[] }
      ? C
      : O extends { readonly bare: true }
        ? string | true
        : O extends { readonly several: true }
          ? readonly string[]
          : string

type IsThere = { readonly required: true } | { readonly default: unknown } | { readonly type: 'boolean' }

/** Values of declared options or operands, checked: `undefined` for what was not given and has no default. */
export type VerbValues<D> = {
  readonly [K in keyof D]: ValueOf<D[K]> | (D[K] extends IsThere ? never : undefined)
}

/** What a verb writes to: results to stdout, everything else to stderr. */
export interface VerbTerminal {
  /** Whether a person watches: one line is redrawn instead of many written. */
  readonly interactive: boolean
  readonly stderr: NodeJS.WritableStream
  /** A result: as it is for a program that reads it; on a terminal, controls are shown as characters. */
  out(text: string): void
  /** A result that people read, with controls shown as characters wherever it goes. */
  view(text: string): void
  /** A result that a machine reads. */
  json(value: unknown): void
  /** The same on one line. */
  jsonLine(value: unknown): void
  /** Text for whoever watches, without an end of line. */
  err(text: string): void
  /** A remark, a line of its own. */
  note(text: string): void
  heading(text: string): void
  /** A result in two columns, aligned. */
  table(rows: readonly (readonly [string, string])[], title?: string): void
  /** The same for whoever watches. */
  facts(rows: readonly (readonly [string, string])[]): void
  /** Replaces the line at the bottom; only where `interactive`. */
  redraw(line: string): void
  /** Text in a style, where what it is written to shows styles: stderr, or stdout for results. */
  style(
    style: 'bold' | 'cyan' | 'dim' | 'green' | 'red' | 'yellow',
    text: string,
    on?: 'stderr' | 'stdout',
  ): string
  /** Whether results are shown in styles. */
  readonly showsStyles: boolean
  failure(message: string, hint: string | undefined, code: string): void
  /** One of several ranks writes: all but the first keep quiet, and say who they are when they fail. */
  speakFor(rank: number): void
}

/** Words of a command line by the path of the option that they set: { 'train.epochs': ['2'] }. */
export type Flags = Readonly<Record<string, readonly string[]>>

/** Where a session begins: what `Ift.load` and `Ift.using` take. */
export interface SessionRequest {
  /** Where to look for the config and what relative paths are relative to; the current folder when absent. */
  readonly cwd?: string
  /** A config file or a folder to look in. */
  readonly configFile?: string
  /** Options laid over the config, nested. */
  readonly overrides?: Readonly<Record<string, unknown>>
  /** Words of a command line, laid over these; each is read as its option takes it. */
  readonly flags?: Flags
  /** Folders besides the config's own that packages may be found from. */
  readonly searchFrom?: readonly string[]
}

/** What a verb is called with. */
export interface VerbContext<O = Readonly<Record<string, unknown>>, A = Readonly<Record<string, unknown>>> {
  readonly terminal: VerbTerminal
  /** Folder that paths on the command line are relative to. */
  readonly cwd: string
  /** The session that the command line asks for: `Ift.using(session, async (ift) => …)`. */
  readonly session: SessionRequest
  readonly options: O
  readonly operands: A
  /**
   * Runs with a signal that Ctrl-C or a hang-up aborts, and shows `note` then; a second one ends the process at once, as it
   * would without this.
   */
  readonly untilInterrupted: <T>(note: string, run: (signal: AbortSignal) => Promise<T>) => Promise<T>
}

/** A verb of the command line, declared as data: `npx ift NAME`. */
export interface Verb<
  O extends Readonly<Record<string, VerbOption>> = Readonly<Record<string, VerbOption>>,
  A extends Readonly<Record<string, Operand>> = Readonly<Record<string, Operand>>,
> {
  readonly name: string
  readonly description: string
  /** A command line that can be run, for the help text. */
  readonly example: string
  /** Text that the help ends with. */
  readonly help?: string
  readonly options?: O
  /** In the order of the command line. */
  readonly operands?: A
  /**
   * Options of the config that matter for the verb, by their paths or the sections they lie in ('weights', 'train',
   * 'generate.topP'): its help shows them. All of them are accepted.
   */
  readonly config?: readonly string[]
  /** The exit code: 0 done, 1 failed. An IftError that is thrown is shown, and decides by its code. */
  run(context: VerbContext<VerbValues<O>, VerbValues<A>>): Promise<number>
}

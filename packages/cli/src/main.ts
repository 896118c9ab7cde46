import { Command } from 'commander'
import { IftError, writeFailed, type Verb } from '@ift/core'
import { declareVerb, lineOf, operandsOf, optionsOf, wordsOf } from './commands/declare.js'
import { commands } from './commands/index.js'
import { here, PackageVerbs } from './commands/package-verbs.js'
import { takeOverrides, type SplitLine } from './overrides.js'
import { untilInterrupted } from './ui/interrupt.js'
import { Terminal } from './ui/terminal.js'
import { exit, report } from './ui/report.js'
import { version } from './version.js'

/** Runs one command line and returns its exit code. */
export async function main(argv: readonly string[], terminal = new Terminal()): Promise<number> {
  // What a config or a plugin throws behind its back, in a timer or a promise that nobody waits for.
  const stray = (error: unknown) => {
    process.exit(report(uncaught(error), terminal))
  }
  process.once('uncaughtException', stray)
  const code = await run(argv, terminal)
  process.off('uncaughtException', stray)
  await terminal.close()
  if (terminal.lost === null || code !== exit.done) return code
  return report(writeFailed('The output', terminal.lost), terminal)
}

function uncaught(error: unknown): IftError {
  if (error instanceof IftError) return error
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return new IftError(
    'IFT_UNCAUGHT',
    `An error that nobody waits for, of the config, a plugin or ift: ${what}`,
    'The stack says where it was thrown: wait for the promise there, or catch the error.',
  )
}

/** What a command line asks for, before its options are read. */
interface Asked {
  /** Undefined for `ift` alone, `ift --help` and `ift --version`. */
  readonly verb: string | undefined
  readonly configFile: string | undefined
}

function lookAhead(words: readonly string[]): Asked {
  let verb: string | undefined
  let configFile: string | undefined
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    const inline = /^(?:--config|-c)=(.+)$/.exec(word)?.[1]
    if (inline !== undefined) configFile = inline
    else if (word === '-c' || word === '--config') configFile = words[++i]
    else if (!word.startsWith('-')) verb ??= word
  }
  return { verb, configFile }
}

/** `ift help VERB` as `ift VERB --help`. */
const withoutHelp = (argv: readonly string[]) =>
  argv[0] === 'help' && argv[1] !== undefined ? [argv[1], '--help'] : argv

async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  let packageVerb: string | undefined
  try {
    const line = withoutHelp(argv)
    const cwd = process.cwd()
    const asked = lookAhead(takeOverrides(line).rest)
    const packages = new PackageVerbs(cwd, asked.configFile)
    let verb = commands.find(({ name }) => name === asked.verb)
    if (!verb && asked.verb !== undefined && asked.verb !== 'help') {
      verb = await packages.load(asked.verb)
      packageVerb = asked.verb
    }
    // A flag that the verb declares is its own, also where an option of the config has the name.
    const split = takeOverrides(line, verb && lineOf(verb))
    for (const note of split.notes) terminal.note(note)
    const program = commandLine(terminal)
    const isVersion = split.rest.some((word) => word === '-v' || word === '--version')
    for (const one of commands) program.command(one.name).description(one.description)
    if (!verb && !isVersion)
      for (const [name, description] of packages.list())
        program.command(name).description(description).helpGroup('Verbs of installed packages:')
    if (!split.rest.length) {
      program.outputHelp()
      return exit.usage
    }
    return await parse(program, verb, split, terminal, cwd)
  } catch (error) {
    return report(error, terminal, packageVerb === undefined ? 'ift' : `the verb "${packageVerb}"`)
  }
}

/** The command line without its verbs. */
const commandLine = (terminal: Terminal) =>
  new Command('ift')
    .description('Instruction fine-tuning of language models.')
    .version(version, '-v, --version')
    .option('-c, --config <file>', 'config file, or the folder to look in; - is standard input')
    .showHelpAfterError('Help: npx ift <verb> --help')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.view(text),
      writeErr: (text) => terminal.err(text),
    })
    .addHelpText('after', '\nEvery option of the config is a flag too: --train.epochs 2 --weights ./model\n')

/** Reads the options of the verb and runs it; the exit code. */
async function parse(
  program: Command,
  verb: Verb | undefined,
  { rest, flags, overrides }: SplitLine,
  terminal: Terminal,
  cwd: string,
): Promise<number> {
  let code: number = exit.done
  if (verb) {
    const command =
      program.commands.find((one) => one.name() === verb.name) ??
      program.command(verb.name).description(verb.description)
    declareVerb(command, verb)
    command.exitOverride().action(async (...words: unknown[]) => {
      const { config } = program.opts<{ config?: string }>()
      code = await verb.run({
        terminal,
        cwd,
        session: {
          cwd,
          overrides,
          flags,
          searchFrom: [here],
          ...(config !== undefined && { configFile: config }),
        },
        options: optionsOf(verb, command.opts()),
        operands: operandsOf(verb, words),
        untilInterrupted: (note, task) => untilInterrupted(terminal, note, task),
      })
    })
  }
  await program.parseAsync([...(verb ? wordsOf(verb, rest) : rest)], { from: 'user' })
  return code
}

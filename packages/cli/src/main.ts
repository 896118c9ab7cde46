import { Command } from 'commander'
import { writeFailed } from '@ift/core'
import { commands } from './commands/index.js'
import { takeOverrides } from './overrides.js'
import { Terminal } from './ui/terminal.js'
import { exit, report } from './ui/report.js'
import { version } from './version.js'

/** Runs one command line and returns its exit code. */
export async function main(argv: readonly string[], terminal = new Terminal()): Promise<number> {
  const code = await run(argv, terminal)
  await terminal.close()
  if (terminal.lost === null || code !== exit.done) return code
  return report(writeFailed('The output', terminal.lost), terminal)
}

async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  let code: number = exit.done
  try {
    const { rest, overrides, notes } = takeOverrides(argv)
    for (const note of notes) terminal.note(note)
    const program = new Command('ift')
      .description('Instruction fine-tuning of language models.')
      .version(version, '-v, --version')
      .option('-c, --config <file>', 'config file, or the folder to look in')
      .showHelpAfterError('Help: npx ift <verb> --help')
      .showSuggestionAfterError()
      .exitOverride()
      .configureOutput({
        writeOut: (text) => terminal.out(text),
        writeErr: (text) => terminal.err(text),
      })
      .addHelpText(
        'after',
        '\nEvery option of the config is a flag too: --train.epochs 2 --weights ./model\n',
      )
    const finish = (result: number) => {
      code = result
    }
    for (const command of commands) {
      const verb = program.command(command.name).description(command.description).exitOverride()
      command.define?.(verb)
      verb.addHelpText('after', `\nExample:\n  ${command.example}\n`)
      verb.action(async (...args: unknown[]) => {
        const operands = args.slice(0, -2) as (string | string[] | undefined)[]
        const { config } = program.opts<{ config?: string }>()
        finish(
          await command.run({
            terminal,
            cwd: process.cwd(),
            ...(config === undefined ? {} : { configFile: config }),
            overrides,
            options: verb.opts(),
            operands: operands.flat().filter((operand) => operand !== undefined),
          }),
        )
      })
    }
    if (!rest.length) {
      program.outputHelp()
      return exit.usage
    }
    await program.parseAsync([...rest], { from: 'user' })
    return code
  } catch (error) {
    return report(error, terminal)
  }
}

import { constants } from 'node:fs'
import { copyFile, rm, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { baseName, IftError, suggest, writeFailed, type OpenModel } from '@ift/core'
import { useAdapter } from '../ui/use-adapter.js'
import type { Conversation } from './conversation.js'

/** What follows a line that began with a slash. */
export type Outcome = 'stay' | 'answer' | 'exit'

/** What a command of a chat works on. */
export interface ChatState {
  readonly conversation: Conversation
  /** The model that answers. */
  readonly open: Pick<OpenModel, 'adapters'>
  /** Folder that /save writes relative to. */
  readonly cwd: string
  readonly note: (text: string) => void
}

interface ChatCommand {
  readonly usage: string
  readonly text: string
  run(state: ChatState, rest: string): Outcome | Promise<Outcome>
}

const stay: Outcome = 'stay'

/** Writes a new file; one that is there is kept. */
async function writeNew(path: string, text: string): Promise<void> {
  const part = `${path}.${process.pid}.part`
  try {
    await writeFile(part, text, { mode: 0o600 })
    await copyFile(part, path, constants.COPYFILE_EXCL)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST')
      throw new IftError('IFT_OUTPUT_EXISTS', `${path} is there already.`, 'Choose another name: /save FILE')
    throw writeFailed(path, error)
  } finally {
    await rm(part, { force: true })
  }
}

const commands: Readonly<Record<string, ChatCommand>> = {
  help: {
    usage: '/help',
    text: 'this list',
    run({ note }) {
      for (const { usage, text } of Object.values(commands)) note(`${usage.padEnd(14)} ${text}`)
      note('Ctrl-C stops an answer; pasted lines are one message; arrow up brings back what was typed.')
      return stay
    },
  },
  system: {
    usage: '/system TEXT',
    text: 'the text that stands before the conversation; alone, shows it',
    run({ conversation, note }, rest) {
      if (rest === '') note(conversation.system === null ? 'There is no system text.' : conversation.system)
      else {
        conversation.system = rest
        note('The system text is set from the next answer on.')
      }
      return stay
    },
  },
  retry: {
    usage: '/retry',
    text: 'answer the last message again',
    run({ conversation, note }) {
      if (conversation.reopen()) return 'answer'
      note('There is no answer to give again.')
      return stay
    },
  },
  save: {
    usage: '/save FILE',
    text: 'write the conversation as a record that `data:` reads',
    async run({ conversation, cwd, note }, rest) {
      if (rest === '' || conversation.isEmpty)
        note(rest === '' ? 'Name a file: /save talk.jsonl' : 'Nothing was said yet.')
      else {
        await writeNew(resolve(cwd, rest), conversation.record())
        note(`saved in ${resolve(cwd, rest)}`)
      }
      return stay
    },
  },
  adapter: {
    usage: '/adapter NAME',
    text: `the adapter that answers from now on, or ${baseName}; alone, shows them`,
    run({ open, note }, rest) {
      if (rest !== '') useAdapter(open, rest)
      const { adapters } = open
      note(
        adapters === null
          ? 'The model has not been opened with several adapters: --adapter NAME=DIR --adapter NAME=DIR'
          : `in use: ${adapters.active ?? baseName}; there are: ${[...adapters.names, baseName].join(', ')}`,
      )
      return stay
    },
  },
  clear: {
    usage: '/clear',
    text: 'forget the conversation; the system text stays',
    run({ conversation, note }) {
      conversation.clear()
      note('Forgotten.')
      return stay
    },
  },
  exit: { usage: '/exit', text: 'end the chat', run: () => 'exit' },
}

/** Runs a line that begins with a slash. A file that cannot be written is told, and the chat goes on. */
export async function runCommand(line: string, state: ChatState): Promise<Outcome> {
  const [, name, rest = ''] = /^\/(\S*)\s*(.*)$/s.exec(line)!
  if (!Object.hasOwn(commands, name!)) {
    const near = suggest(name!, Object.keys(commands))
    state.note(`There is no /${name!}. ${near ? `Did you mean /${near}?` : 'All of them: /help'}`)
    return stay
  }
  try {
    return await commands[name!]!.run(state, rest.trim())
  } catch (error) {
    if (!(error instanceof IftError)) throw error
    state.note([error.message, error.hint].filter(Boolean).join(' '))
    return stay
  }
}

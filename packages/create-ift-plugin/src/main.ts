import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { IftError } from '@ift/tensor'
import { terminalQuestions, type Ask } from './ask.js'
import { quoted, visible } from './names.js'
import { nouns, type PluginNoun } from './nouns/index.js'
import { scaffold, writeFiles } from './scaffold.js'
import { version } from './version.js'

/** Where a command line is run, and what it writes to. */
export interface Surroundings {
  readonly cwd: string
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  /** Null where nobody sits at a terminal. */
  readonly ask: Ask | null
}

const list = nouns.map(({ noun, what }) => `  ${noun.padEnd(12)}${what}`).join('\n')

const help = `npm create ift-plugin [NOUN] [NAME] [-- options]

A package that gives ift one of these:
${list}

  --folder PATH     where it is written: an absent or empty folder (that of the package's name)
  --package NAME    name of the package (ift-plugin-NOUN-NAME, under which ift finds it by itself)
  --help, --version

npm create ift-plugin optimizer heavy-ball
`

const options = {
  folder: { type: 'string' },
  package: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const

function wordsOf(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], allowPositionals: true, options })
  } catch (cause) {
    // Node's own text names the flag.
    const said = cause instanceof Error ? cause.message : String(cause)
    throw new IftError('IFT_USAGE', said, 'npm create ift-plugin -- --help', { cause })
  }
}

function nounOf(word: string): PluginNoun {
  const found = nouns.find(({ noun, word: other }) => noun === word || other === word)
  if (found !== undefined) return found
  throw new IftError(
    'IFT_USAGE',
    `NOUN: expected ${nouns.map(({ noun }) => noun).join(', ')}, found ${quoted(word)}.`,
    'npm create ift-plugin optimizer heavy-ball',
  )
}

/** What the command line gives, or an answer to a question; IFT_USAGE where neither is there. */
async function given(
  word: string | undefined,
  what: string,
  question: string,
  ask: Ask | null,
): Promise<string> {
  const found = word ?? (await ask?.(question))?.trim()
  if (found) return found
  throw new IftError('IFT_USAGE', `${what} is missing.`, 'npm create ift-plugin optimizer heavy-ball')
}

async function run(argv: readonly string[], { cwd, out, ask }: Surroundings): Promise<void> {
  const { values, positionals } = wordsOf(argv)
  if (values.help || values.version) {
    out(values.help ? help : `${version}\n`)
    return
  }
  const [typedNoun, typedName, ...more] = positionals
  if (more.length > 0)
    throw new IftError(
      'IFT_USAGE',
      `expected NOUN and NAME, found ${positionals.length} words.`,
      'npm create ift-plugin optimizer heavy-ball',
    )
  const noun = nounOf(await given(typedNoun, 'NOUN', `${list}\nA plugin of which noun? `, ask))
  const name = await given(typedName, 'NAME', 'Its name in a config, such as heavy-ball? ', ask)
  const files = scaffold({ noun, name, package: values.package })
  const { name: packageName } = JSON.parse(files.get('package.json')!) as { name: string }
  const folder = values.folder ?? packageName.replace(/^@[^/]+\//, '')
  writeFiles(resolve(cwd, folder), files)
  out(
    visible(`${[...files.keys()].map((path) => `${folder}/${path}`).join('\n')}

cd ${folder}
npm install
npm test         the conformance kit of ift, and what is particular to the plugin
npm run build
`),
  )
}

/** Runs a command line; returns its exit code: 0 done, 1 failed, 2 for a command that cannot be. */
export async function main(argv: readonly string[], surroundings = ofProcess()): Promise<number> {
  try {
    await run(argv, surroundings)
    return 0
  } catch (error) {
    if (!(error instanceof IftError)) throw error
    surroundings.err(
      `${visible(error.message)}\n${error.hint ? `  → ${error.hint}\n` : ''}  (${error.code})\n`,
    )
    return error.code === 'IFT_USAGE' ? 2 : 1
  }
}

function ofProcess(): Surroundings {
  const isTerminal = process.stdin.isTTY && process.stderr.isTTY
  return {
    cwd: process.cwd(),
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    ask: isTerminal ? once : null,
  }
}

/** A terminal that is taken for one question alone, so that nothing keeps the process alive. */
const once: Ask = async (question) => {
  const { ask, close } = terminalQuestions(process.stdin, process.stderr)
  try {
    return await ask(question)
  } finally {
    close()
  }
}

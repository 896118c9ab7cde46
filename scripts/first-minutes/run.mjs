#!/usr/bin/env node
// @ts-check
// Plays a newcomer's first minutes in a terminal, and writes every screen as it was.
//   node scripts/first-minutes/run.mjs [--model PATH] [--steps 6] [--out docs/first-minutes.md]
// Needs tmux and the packages built. A command that ends otherwise than expected ends the script, and the page stays as it was. They are packed and installed into an empty folder; the keys go to a shell in a tmux server of its own. PATH is a folder of
// weights or a GGUF file with an architecture of LLaMA; the small model of the quick start without it.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { builtHere, packPackages } from '../release/pack.mjs'
import { useOwnTools } from '../workspace.mjs'

useOwnTools()

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    steps: { type: 'string', default: '6' },
    out: { type: 'string', default: 'docs/first-minutes.md' },
  },
})
const root = fileURLToPath(new URL('../..', import.meta.url))
const home = mkdtempSync(join(tmpdir(), 'ift-first-minutes-'))
const folder = join(home, 'tune')
const width = 100
const prompt = '$ '
const socket = basename(home)
/** Bash writes here how the last command ended. */
const status = join(home, 'status')

/** @param {string} command @param {string[]} args @param {string} [cwd] */
function run(command, args, cwd = root) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (error || status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr}`)
  return stdout
}

/** @param {string[]} args */
const tmux = (...args) => run('tmux', ['-L', socket, ...args])

/** What is on the screen and above it, long lines whole. */
const screen = () =>
  tmux('capture-pane', '-p', '-J', '-S', '-')
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
    .trimEnd()

/** Waits until the last line is as expected. @param {RegExp} ends @param {number} seconds */
async function until(ends, seconds = 120) {
  for (const from = Date.now(); ; await sleep(200)) {
    const now = screen()
    if (ends.test(now.split('\n').at(-1) ?? '')) {
      // Whoever writes the last line may not be done.
      await sleep(300)
      if (screen() === now) return now
    }
    if (Date.now() - from > seconds * 1000) throw new Error(`still waiting for ${String(ends)} on\n${now}`)
  }
}

const atPrompt = /^\$$/

/** @typedef {readonly [keys: string, ends?: RegExp]} Line */

/** Types lines, each when the one before has been answered, and gives the screens. @param {readonly Line[]} lines */
const type = (...lines) => typed(lines, true)
/** The same for what must not end with 0. @param {readonly Line[]} lines */
const typeWrong = (...lines) => typed(lines, false)

/** @param {readonly Line[]} lines @param {boolean} isRight */
async function typed(lines, isRight) {
  tmux('send-keys', 'C-l')
  await sleep(200)
  tmux('clear-history')
  let shown = ''
  for (const [keys, ends = atPrompt] of lines) {
    if (keys !== '') tmux('send-keys', '-l', keys)
    await sleep(150)
    tmux('send-keys', 'Enter')
    await sleep(400)
    shown = await until(ends)
  }
  const ended = readFileSync(status, 'utf8').trim()
  if ((ended === '0') !== isRight) throw new Error(`ended with ${ended}, and was not expected to:\n${shown}`)
  // The prompt that waits for what comes next.
  return shown.replace(/\n\$$/, '').replaceAll(home, '/home/you')
}

function install() {
  const needed = ['tensor', 'core', 'kernels-cpu', 'tokenizers', 'model-llama', 'peft-lora']
  const names = ['ift', ...needed.map((name) => `@ift/${name}`)]
  packPackages(join(home, 'packages'), { built: builtHere(), names })
  mkdirSync(folder)
  const model = values.model === undefined ? join(root, 'examples/quickstart/model') : resolve(values.model)
  cpSync(model, join(folder, values.model === undefined ? 'model' : basename(model)), { recursive: true })
  const rows = readFileSync(join(root, 'examples/quickstart/data/bilingual.jsonl'), 'utf8').split('\n')
  writeFileSync(join(folder, 'rows.jsonl'), `${rows.slice(0, -4).join('\n')}\n`)
  writeFileSync(join(folder, 'questions.jsonl'), `${rows.slice(-4, -1).join('\n')}\n`)
  return readdirSync(join(home, 'packages')).map((name) => `../packages/${name}`)
}

const chat = />$/
const text = ['# The first minutes', '']
/** @param {string} title @param {string} words @param {string} shown @param {string} [note] */
const tell = (title, words, shown, note = '') =>
  text.push(`## ${title}`, '', words, '', `\`\`\`text${note}`, shown, '```', '')

const tarballs = install()
const environment = [
  `HOME=${home}`,
  `PS1=${prompt}`,
  `PROMPT_COMMAND=echo $? > '${status}'`,
  // The history would be written while the folder is being removed.
  'HISTFILE=/dev/null',
  `PATH=${process.env['PATH'] ?? ''}`,
  `npm_config_cache=${process.env['npm_config_cache'] ?? join(homedir(), '.npm')}`,
  ...['LANG=C.UTF-8', 'npm_config_update_notifier=false', 'npm_config_fund=false', 'npm_config_audit=false'],
]
const shell = ['env', '-i', 'TERM=screen-256color', ...environment, 'bash', '--norc', '--noprofile']
try {
  tmux('new-session', '-d', '-x', String(width), '-y', '50', '-c', folder, ...shell)
  await until(atPrompt)
  text.push(
    `What a terminal of ${width} columns shows to somebody who uses ift for the first time: every screen as it was, typed by \`scripts/first-minutes\``,
    `into an empty folder with packed packages. The folder holds a model, rows of data and three questions.`,
    '',
  )
  tell(
    'Install',
    'The packages lie in a folder here; from a registry it is `npm install ift @ift/model-llama @ift/peft-lora @ift/tokenizers`.',
    (await type(['ls'])) + '\n' + (await type([`npm install ../packages/*.tgz`])),
  )
  if (tarballs.length !== 9) throw new Error('expected seven packages, and two with native add-ons')
  tell('Where to begin', '`ift` alone says what there is.', await typeWrong(['npx ift']))
  tell(
    'A config',
    '`init` looks at what lies in the folder and asks; Enter takes what stands in brackets.',
    await type(['npx ift init', /^\[.*\]$/], ['', /^\[.*\]$/], ['2', /^\[.*\]$/], ['', /^\[.*\]$/], ['']),
  )
  tell('The config that was written', 'Every option has a default.', await type(['cat ift.config.json']))
  tell(
    'What the model learns from',
    '`inspect` marks the tokens that are learned: by a colour; without colours they stand between brackets.',
    await type(['NO_COLOR=1 npx ift inspect --count 1']),
  )
  tell(
    'What a run would take',
    '`plan` counts the memory of the largest micro-batch, and measures the time of one.',
    await type([`npx ift plan --train.maxSteps ${values.steps}`]),
  )
  tell(
    'Train',
    'A few steps, for the sake of this page.',
    await type([`npx ift train --train.maxSteps ${values.steps} --output first-run`]),
  )
  tell(
    'Chat',
    'Commands begin with a slash.',
    await type(
      ['npx ift chat --adapter first-run/adapter', chat],
      ['/help', chat],
      ['Hello!', chat],
      ['/retyr', chat],
      ['/exit'],
    ),
  )
  tell(
    'Answer many',
    '`predict` writes a line for each question.',
    (await type([
      'npx ift predict --input questions.jsonl --output answers.jsonl --adapter first-run/adapter --generate.maxNewTokens 16',
    ])) +
      '\n' +
      (await type(['head -c 300 answers.jsonl; echo'])),
  )
  tell(
    'Merge',
    'The adapter becomes part of the weights, for programs that know no adapters.',
    await type(['npx ift merge merged --adapter first-run/adapter']),
  )
  tell(
    'Typos',
    'What is misspelled is answered with what was meant.',
    [
      await typeWrong(['npx ift trian']),
      await typeWrong(['npx ift train --train.maxStep 3']),
      await typeWrong(['npx ift train --data rows.josnl']),
      await typeWrong(['npx ift train --template alpacca']),
      await typeWrong(['npx ift train --peft.method lroa']),
      await typeWrong(['npx ift generate hello --weights ./modle']),
    ].join('\n'),
    ' misspelled',
  )
  writeFileSync(resolve(root, values.out), text.join('\n'))
} finally {
  spawnSync('tmux', ['-L', socket, 'kill-server'])
  rmSync(home, { recursive: true, force: true })
}

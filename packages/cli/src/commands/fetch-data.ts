import {
  compositeNames,
  IftError,
  knownDatasets,
  type FetchDataset,
  type FetchPlan,
  type FetchProgress,
  type Ift,
  type VerbContext,
  type VerbTerminal,
} from '@ift/core'
import { bytes } from '../ui/format.js'
import { exit } from '../ui/report.js'

export interface FetchRequest {
  /** Names of datasets, hub ids, or the terms of a selection; the data of the config when empty. */
  readonly words: readonly string[]
  /** Address of a mirror of the hub. */
  readonly mirror: string | undefined
  /** Nobody is asked. */
  readonly yes: boolean
  readonly json: boolean
  /** Asks whoever sits at the terminal; null where nobody does. */
  readonly ask: ((question: string) => Promise<string>) | null
  readonly untilInterrupted: VerbContext['untilInterrupted']
}

/** Words that are all names or hub ids as entries of data; else they are one selection. */
function entriesOf(ift: Ift, words: readonly string[]) {
  if (words.length === 0) return undefined
  const names = new Set([...knownDatasets(ift).map(({ name }) => name), ...compositeNames])
  const isNamed = (word: string) => names.has(word) || /^[^:|,*?]+\/[^:|,*?]+$/.test(word)
  return words.every(isNamed)
    ? words.map((word) => (names.has(word) ? { name: word } : { path: word }))
    : [{ select: words.join(' ') }]
}

const state = ({ files, isLocal, problem }: FetchDataset): string => {
  if (problem) return 'cannot be fetched'
  const missing = files.reduce((sum, one) => sum + one.missing, 0)
  const all = files.reduce((sum, one) => sum + one.bytes, 0)
  if (files.length === 0) return isLocal ? 'its files are on this machine' : 'no file'
  const size = `${bytes(all)} in ${files.length} ${files.length === 1 ? 'file' : 'files'}`
  const left = missing === 0 ? ', here already' : missing < all ? `, ${bytes(missing)} to come` : ''
  return `${size}${left}, ${[...new Set(files.map(({ repo }) => repo))].join(', ')}`
}

const shown = ({ datasets, notes }: FetchPlan, terminal: VerbTerminal) => {
  terminal.table(datasets.map((one) => [one.name, state(one)]))
  for (const note of notes) terminal.note(note)
  for (const { problem } of datasets) if (problem) told(problem, terminal)
}

const told = ({ message, hint, code }: IftError, terminal: VerbTerminal) => {
  terminal.failure(message, hint, code)
}

const facts = ({ datasets, bytes: all, missing, cacheDir, notes }: FetchPlan) => ({
  ...{ bytes: all, missing, cacheDir, notes },
  datasets: datasets.map(({ name, facts: known, files, isLocal, problem }) => ({
    ...{ name, license: known?.license, files, isLocal },
    problem: problem ? { code: problem.code, message: problem.message, hint: problem.hint } : undefined,
  })),
})

/** Tells of the sizes and licences of datasets, asks, and fetches them to where training finds them. */
export async function fetchData(
  ift: Ift,
  terminal: VerbTerminal,
  { words, mirror, yes, json, ask, untilInterrupted }: FetchRequest,
): Promise<number> {
  const plan = await ift.planFetch(entriesOf(ift, words), mirror === undefined ? {} : { mirror })
  if (plan.datasets.length === 0)
    throw new IftError('IFT_USAGE', 'The config names no data.', 'npx ift data fetch dolly')
  if (json) terminal.json(facts(plan))
  else shown(plan, terminal)
  const failed = plan.datasets.some(({ problem }) => problem) ? exit.failed : exit.done
  if (plan.missing === 0) {
    if (!json) terminal.note('There is nothing to fetch.')
    return failed
  }
  if (!yes) {
    if (json) return failed
    if (ask === null)
      throw new IftError(
        'IFT_USAGE',
        `data fetch: expected --yes, or a terminal to ask at, before ${bytes(plan.missing)} are fetched.`,
        `npx ift data fetch ${[...words.map(quoted), ...(mirror === undefined ? [] : ['--mirror', mirror])].join(' ')} --yes`,
      )
    const answer = await ask(`Fetch ${bytes(plan.missing)} into ${plan.cacheDir}? [y/N] `)
    if (!/^\s*(y|yes|是)\s*$/i.test(answer)) {
      terminal.note('Nothing was fetched.')
      return exit.failed
    }
  }
  const progress = new FetchProgressLine(terminal)
  const problems = await untilInterrupted('Stopping; what has arrived is kept.', (signal) =>
    plan.fetch({ signal, onProgress: (now) => progress.show(now) }),
  )
  for (const problem of problems) told(problem, terminal)
  if (problems.length > 0) return exit.failed
  terminal.note(`Fetched ${bytes(plan.missing)} into ${plan.cacheDir}; training finds them there.`)
  return failed
}

/** A word as a shell takes it. */
const quoted = (word: string) => (/^[\w:./@-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)

/** What has arrived: one redrawn line for a person, a line every tenth part for a log. */
class FetchProgressLine {
  #tenth = 0

  constructor(readonly terminal: VerbTerminal) {}

  show({ repo, file, received, total }: FetchProgress): void {
    const line = `${Math.floor((100 * received) / Math.max(1, total))}%  ${bytes(received)} of ${bytes(total)}  ${repo}: ${file}`
    if (this.terminal.interactive) {
      this.terminal.redraw(line)
      return
    }
    const tenth = Math.floor((10 * received) / Math.max(1, total))
    if (tenth <= this.#tenth) return
    this.#tenth = tenth
    this.terminal.err(`${line}\n`)
  }
}

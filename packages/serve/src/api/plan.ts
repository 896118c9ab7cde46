import { spawn } from 'node:child_process'
import { StringDecoder } from 'node:string_decoder'
import { freemem } from 'node:os'
import { configFaults, configSchema, type Ift } from '@ift/core'
import { HttpError } from '../wire/errors.js'
import { commandOf } from './command.js'
import { configFacts, fields, number, text } from './run-documents.js'
import type { RunProcesses } from './run-processes.js'
import type { Fault, NewRunPlan, PlanReply, RunCode, RunError, RunRow } from './types.js'

type Fields = Readonly<Record<string, unknown>>

/** Milliseconds that a plan may take, and bytes that it may write. */
const patience = 60_000
const mostBytes = 4 * 1024 * 1024

/** What is not the page's to say: code, files of libraries, and where the run's folder is. */
const refused = ['plugins', 'output', 'ranks', 'cache'] as const

/** Faults of a config that was sent, those of its method's options included. */
export async function faultsOf(ift: Ift, config: Fields): Promise<Fault[]> {
  const faults: Fault[] = configFaults(configSchema, config)
  for (const path of refused)
    if (config[path] !== undefined)
      faults.push({
        path,
        message: 'expected in the config of the working folder, which a run from here takes it from',
        nearest: null,
      })
  const { method = 'lora', ...options } = fields(config['peft'])
  if (typeof method !== 'string' || method === 'none') return faults
  try {
    const { options: schema } = await ift.peft(method)
    return [...faults, ...configFaults(schema, options, 'peft')]
  } catch (error) {
    return [
      ...faults,
      { path: 'peft.method', message: error instanceof Error ? error.message : String(error), nearest: null },
    ]
  }
}

/** Options of the working folder's config that a run from the page has besides its own. */
export function withOwn(ift: Ift, config: Fields): Fields {
  const { plugins, ranks, cache } = ift.config
  const { output: _, ...rest } = config
  return { ...rest, plugins: plugins.filter((plugin) => typeof plugin !== 'object'), ranks, cache }
}

/** Plans runs in processes of their own: a plan opens models and reads data. The newest request is the one that counts. */
export class Planner {
  readonly #processes: RunProcesses
  #newest: AbortController | null = null

  constructor(processes: RunProcesses) {
    this.#processes = processes
  }

  async plan(
    ift: Ift,
    config: Fields,
    {
      quick,
      runs,
      signal,
    }: {
      readonly quick: boolean
      readonly runs: () => Promise<readonly RunRow[]>
      readonly signal: AbortSignal
    },
  ): Promise<PlanReply> {
    const faults = [...(await faultsOf(ift, config)), ...missing(config)]
    const command = commandOf(config)
    const none = { faults, plan: null, problem: null, command }
    if (quick || faults.length > 0) return none
    this.#newest?.abort(new HttpError(409, 'superseded', 'A newer plan was asked for.'))
    const own = (this.#newest = new AbortController())
    const leave = () => {
      own.abort(signal.reason)
    }
    signal.addEventListener('abort', leave, { once: true })
    const found = await this.#run(ift.rootDir, withOwn(ift, config), own.signal).finally(() => {
      signal.removeEventListener('abort', leave)
    })
    if ('problem' in found) return { ...none, problem: found.problem }
    return { ...none, plan: planReply(found.printed, config, await runs()) }
  }

  /** Ends the plan that is being made. */
  close(): void {
    this.#newest?.abort(new HttpError(503, 'shutting_down', 'The server is being shut down.'))
  }

  /** `ift plan --json`: what it printed, or what it failed with. */
  #run(
    cwd: string,
    config: Fields,
    signal: AbortSignal,
  ): Promise<{ readonly printed: Fields } | { readonly problem: PlanReply['problem'] }> {
    const { command, args } = this.#processes.program
    return new Promise((resolve, reject) => {
      const words = [...args, 'plan', '--config', '-', '--json', '--unmeasured']
      const child = spawn(command, words, { cwd, stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true })
      const [out, err] = [new StringDecoder(), new StringDecoder()]
      let [printed, said, isOver] = ['', '', false]
      const end = (then: () => void) => {
        if (isOver) return
        isOver = true
        clearTimeout(timer)
        signal.removeEventListener('abort', onAbort)
        child.kill('SIGKILL')
        then()
      }
      const failed = (message: string) => {
        end(() => {
          resolve({ problem: { code: 'plan_failed' satisfies RunCode, message, hint: null, param: null } })
        })
      }
      const onAbort = () => {
        end(() => {
          reject(signal.reason as Error)
        })
      }
      const timer = setTimeout(() => {
        failed(`The plan took longer than ${patience / 1000} s.`)
      }, patience)
      signal.addEventListener('abort', onAbort, { once: true })
      child.stdout.on('data', (piece: Buffer) => {
        printed += out.write(piece)
        if (printed.length > mostBytes) failed('The plan is too long to be read.')
      })
      child.stderr.on('data', (piece: Buffer) => {
        said = (said + err.write(piece)).slice(-16_384)
      })
      child.stdin.on('error', () => undefined)
      child.stdin.end(JSON.stringify(config))
      child.once('error', (error) => {
        failed(error.message)
      })
      child.once('close', () => {
        end(() => {
          const value = parsed(printed)
          // A plan that does not fit has another exit code, and is one.
          resolve(value ? { printed: value } : { problem: { ...problemOf(said), param: null } })
        })
      })
      if (signal.aborted) onAbort()
    })
  }
}

/** What no run can do without, and the schema cannot ask for: an adapter names its model, and other verbs need no data. */
function missing(config: Fields): readonly Fault[] {
  const isNamed = config['weights'] !== undefined || config['adapter'] !== undefined
  const hasData =
    !Array.isArray(config['data'] ?? []) || (config['data'] as readonly unknown[] | undefined)?.length
  const found = 'found none'
  return [
    ...(isNamed
      ? []
      : [{ path: 'weights', message: `expected a folder, a file or a hub id, ${found}`, nearest: null }]),
    ...(hasData
      ? []
      : [{ path: 'data', message: `expected a file or the name of a data set, ${found}`, nearest: null }]),
  ]
}

function parsed(printed: string): Fields | null {
  try {
    const value = JSON.parse(printed) as unknown
    return number(fields(value)['steps']) === null ? null : fields(value)
  } catch {
    return null
  }
}

/** What the command line wrote on stderr: notes, then the error with its hint. */
function problemOf(said: string): RunError {
  const lines = said.trim().split('\n')
  const at = lines.findLastIndex((line) => /^(error|✗)/i.test(line.trim()))
  const shown = lines.slice(Math.max(0, at)).join('\n').trim()
  const message = shown.replace(/^(?:error|✗)\s+/i, '').replace(/\s*^IFT_[A-Z_]+$/m, '')
  return {
    code: /\b(IFT_[A-Z_]+)\b/.exec(shown)?.[1] ?? ('plan_failed' satisfies RunCode),
    message: message || 'The plan could not be made.',
    hint: null,
  }
}

function planReply(printed: Fields, config: Fields, runs: readonly RunRow[]): NewRunPlan {
  const at = (path: string) => number(printed[path])
  const memory = ['weights', 'training', 'activations', 'workspace', 'total', 'reserved', 'recomputeLayers']
  const mixture = (Array.isArray(printed['mixture']) ? printed['mixture'] : []) as NewRunPlan['mixture']
  const tokens = mixture.reduce<number | null>(
    (sum, row) => (sum === null || row.tokens === null ? null : sum + row.tokens),
    0,
  )
  const steps = at('steps') ?? 0
  const epochs = at('epochs')
  return {
    memory: {
      ...Object.fromEntries(memory.map((key) => [key, at(key) ?? 0])),
      fits: printed['fits'] === true,
    } as unknown as NewRunPlan['memory'],
    free: at('budget') ?? freemem(),
    parameters: at('parameters') ?? 0,
    trainable: at('trainable') ?? 0,
    steps,
    sequences: at('sequences') ?? 0,
    heldOut: at('heldOut') ?? 0,
    tokensPerEpoch: tokens,
    trainedTokens: at('trainedTokens'),
    mixture,
    cut: at('cut'),
    longest: at('longest'),
    maxLength: number(fields(printed['limit'])['tokens']) ?? 0,
    layers: at('layers'),
    time: timeOf(config, runs, tokens === null || epochs === null ? null : tokens * epochs),
    remedies: (Array.isArray(printed['remedies']) ? printed['remedies'] : []).flatMap((one) => {
      const { flag, saves, fits } = fields(one)
      const found = text(flag)
      return found === null
        ? []
        : [{ flag: found, changes: changesOf(found), saves: number(saves) ?? 0, fits: fits === true }]
    }),
    notes: (Array.isArray(printed['notes']) ? printed['notes'] : []).map(String),
  }
}

/** Seconds of a run at the rate of the newest one of the same base, method and type. */
function timeOf(config: Fields, runs: readonly RunRow[], tokens: number | null): NewRunPlan['time'] {
  if (tokens === null) return null
  const { base, method, quantize } = configFacts(config)
  const like = runs.find(
    (row) =>
      row.tokensPerSecond !== null && row.base === base && row.method === method && row.quantize === quantize,
  )
  if (!like) return null
  const { tokensPerSecond, id } = like
  return { seconds: tokens / tokensPerSecond!, tokensPerSecond: tokensPerSecond!, from: 'run', run: id }
}

/** `--maxLength 256 --train.recompute all` as options of a config, by their paths. */
function changesOf(flags: string): Readonly<Record<string, unknown>> {
  const words = flags.split(/\s+/)
  const changes: Record<string, unknown> = {}
  for (let i = 0; i + 1 < words.length; i += 2) {
    const [path, word] = [words[i]!.replace(/^--/, ''), words[i + 1]!]
    changes[path] = /^\d+$/.test(word) ? Number(word) : word
  }
  return changes
}

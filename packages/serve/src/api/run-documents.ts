import { closeSync, constants, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { readRegularSync } from '@ift/core'
import type { MixtureRow, RunError, RunPlan, RunResult } from './types.js'

type Fields = Readonly<Record<string, unknown>>

/** Bytes of one of a run's documents, at most: a manifest of some thousand data sets has 1 MB. */
const mostBytes = 16 * 1024 * 1024

/** The JSON object in a file; null where there is none. Throws for what cannot be read. */
export function documentOf(path: string): Fields | null {
  if (!existsSync(path)) return null
  const value = JSON.parse(readRegularSync(path, mostBytes).toString('utf8')) as unknown
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${basename(path)}: expected an object.`)
  return value as Fields
}

export const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)
export const number = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null
export const fields = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

/** When a file was written last; null where there is none. */
export const writtenAt = (path: string): string | null =>
  statSync(path, { throwIfNoEntry: false })?.mtime.toISOString() ?? null

/** The last part of a path, or an id of the hub as it is. */
export const shortName = (name: string): string =>
  /^[\w.-]+\/[\w.-]+(@.*)?$/.test(name) && !/^\.{1,2}\//.test(name)
    ? name
    : basename(name.replace(/[\\/]+$/, '')) || name

/** What a config says of a run, for a row of the list. */
export function configFacts(config: Fields) {
  const peft = fields(config['peft'])
  const train = fields(config['train'])
  const entries = [config['data']].flat() as readonly unknown[]
  const data = entries.flatMap((entry) => {
    const { name, path, select } = typeof entry === 'string' ? { name: entry } : fields(entry)
    const found = text(name) ?? text(path) ?? text(select)
    return found === null ? [] : [shortName(found)]
  })
  const weights = text(config['weights'])
  return {
    base: weights === null ? null : shortName(weights),
    method: text(peft['method']) ?? (config['weights'] === undefined ? null : 'lora'),
    rank: number(peft['r']) ?? number(peft['rank']),
    data: data.slice(0, 20),
    learningRate: number(train['learningRate']),
    quantize: text(config['quantize']),
  }
}

/** What decides the validation rows of a run, in a form to compare; null without any. */
export function validationKey(manifest: Fields): string | null {
  const config = fields(manifest['config'])
  const { size, data, seed } = fields(config['validation'])
  if (data === undefined && (number(size) ?? 0) === 0) return null
  const own = data === undefined ? [manifest['dataHash'], size, seed] : [data]
  const { tokenizer, template } = fields(manifest['identity'])
  return JSON.stringify([own, tokenizer, template, config['maxLength'], config['trainOn']])
}

/** Fields of plan.json; null where they are not all there. */
export function planOf(plan: Fields | null): RunPlan | null {
  const memory = fields(plan?.['memory'])
  if (plan === null || number(plan['steps']) === null || number(memory['total']) === null) return null
  return plan as unknown as RunPlan
}

export function resultOf(result: Fields | null): RunResult | null {
  const reason = text(result?.['reason'])
  if (result === null || reason === null || !['done', 'stopped', 'interrupted', 'failed'].includes(reason))
    return null
  const best = fields(result['bestEval'])
  const [step, loss] = [number(best['step']), number(best['loss'])]
  return {
    reason: reason as RunResult['reason'],
    stoppedBy: text(result['stoppedBy']),
    steps: number(result['steps']),
    finalLoss: number(result['finalLoss']),
    bestEval: step === null || loss === null ? null : { step, loss },
    tokens: number(result['tokens']),
    trainedTokens: number(result['trainedTokens']),
    seconds: number(result['seconds']),
    ended: text(result['ended']),
  }
}

export function errorOf(result: Fields | null): RunError | null {
  if (result?.['reason'] !== 'failed') return null
  const error = fields(result['error'])
  return {
    code: text(error['code']),
    message: text(error['message']) ?? 'It failed, and did not say with what.',
    hint: text(error['hint']),
  }
}

/** The table of a manifest. */
export const mixtureOf = (manifest: Fields): readonly MixtureRow[] =>
  list(manifest['mixture']).flatMap((row) => {
    const found = fields(row)
    return text(found['name']) === null ? [] : [found as unknown as MixtureRow]
  })

/** The end of a log, from the beginning of a line; null where there is none. */
export function logOf(dir: string, most = 64 * 1024): string | null {
  let file: number
  try {
    file = openSync(join(dir, 'log.txt'), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch {
    return null
  }
  try {
    const info = fstatSync(file)
    if (!info.isFile()) return null
    const bytes = Buffer.alloc(Math.min(most, info.size))
    const read = readSync(file, bytes, 0, bytes.length, info.size - bytes.length)
    const end = bytes.subarray(0, read).toString('utf8')
    return info.size > most ? end.slice(end.indexOf('\n') + 1) : end
  } finally {
    closeSync(file)
  }
}

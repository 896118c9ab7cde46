import { existsSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import {
  Ift,
  IftError,
  localPath,
  readJson,
  RunFolder,
  writeFileAtomic,
  type LoadOptions,
  type MixtureRow,
  type ResolvedConfig,
  type Shape,
} from '@ift/core'
import { z } from 'zod'
import type { Arm } from './arms.js'

/** What all arms have the same of. */
export const equalities = ['steps', 'tokens', 'epochs'] as const
export type Equality = (typeof equalities)[number]

/** A run of an arm, as it ended. */
export interface ArmRun {
  readonly seed: number
  readonly dir: string
  readonly steps: number
  readonly epochs: number
  readonly tokens: number
  readonly trainedTokens: number
  readonly seconds: number
  readonly finalLoss: number
  readonly mixture: readonly MixtureRow[]
  /** Whether it had been finished by an earlier call. */
  readonly kept: boolean
}

const planShape = z.looseObject({ steps: z.number(), epochs: z.number() })
const resultShape = z.looseObject({
  reason: z.string(),
  steps: z.number().default(0),
  tokens: z.number().default(0),
  trainedTokens: z.number().default(0),
  seconds: z.number().default(0),
  finalLoss: z.number().nullish(),
})
const read = <S extends z.ZodType>(path: string, shape: S): Promise<z.output<S>> =>
  readJson(path, shape as unknown as Shape<z.output<S>>)

/** A run that came to its end; null for one that did not, and where there is none. */
async function finished(dir: string): Promise<Omit<ArmRun, 'seed' | 'kept'> | null> {
  const folder = new RunFolder(dir)
  if (!existsSync(folder.result) || !(existsSync(folder.adapter) || existsSync(folder.model))) return null
  const result = await read(folder.result, resultShape)
  if (result.reason !== 'done' && result.reason !== 'stopped') return null
  const [plan, manifest] = [await read(folder.plan, planShape), await folder.readManifest()]
  const { steps, tokens, trainedTokens, seconds } = result
  return {
    ...{ dir, steps, tokens, trainedTokens, seconds, finalLoss: result.finalLoss ?? Number.NaN },
    epochs: plan.epochs,
    mixture: manifest?.mixture ?? [],
  }
}

/** The session of an arm: the one that was asked for, with other data and folder, and what `train` has. What the command line says of these does not count. */
export function armSession(
  session: LoadOptions,
  { data, output, train }: { readonly data: Arm['data']; readonly output: string; readonly train: object },
): LoadOptions {
  const { overrides = {}, flags = {} } = session
  const own = ['data', 'output', ...Object.keys(train).map((key) => `train.${key}`)]
  return {
    ...session,
    flags: Object.fromEntries(
      Object.entries(flags).filter(
        ([path]) => !own.some((one) => path === one || path.startsWith(`${one}.`)),
      ),
    ),
    overrides: {
      ...overrides,
      data,
      output,
      train: { ...(overrides['train'] as object | undefined), ...train },
    },
  }
}

/**
 * The folder of an ablation: the config's output, or ift-runs/ablation where that names runs by their model and data, which are not the same
 * for all of them.
 */
export const folderOf = ({ rootDir, config }: Ift): string =>
  localPath(rootDir, config.output.includes('{') ? 'ift-runs/ablation' : config.output)

/** Which options may change between two calls, since no weight depends on them. */
const free = ['data', 'output', 'threads', 'ranks', 'cache', 'device', 'generate', 'deterministic', 'plugins']

const configHash = (config: ResolvedConfig) => {
  const { seed: _, ...train } = config.train
  const decisive = Object.fromEntries(Object.entries(config).filter(([key]) => !free.includes(key)))
  return createHash('sha256')
    .update(JSON.stringify({ ...decisive, train }))
    .digest('hex')
}

const recordShape = z.looseObject({
  format: z.literal(1),
  config: z.string(),
  equal: z.enum(equalities),
  arms: z.record(z.string(), z.unknown()),
})

/**
 * Records what a folder tree is an ablation of, and refuses to go on with another: IFT_RESUME_CONFIG. Arms and seeds may be added, and tasks
 * are compared by their own results.
 */
export async function claimFolder(
  output: string,
  config: ResolvedConfig,
  arms: readonly Arm[],
  equal: Equality,
): Promise<void> {
  const path = join(output, 'ablation-runs.json')
  const now = {
    format: 1,
    config: configHash(config),
    equal,
    arms: Object.fromEntries(arms.map(({ folder, data }) => [folder, data])),
  }
  const before = existsSync(path) ? await read(path, recordShape) : null
  const other =
    before &&
    Object.entries(now.arms).find(
      ([folder, data]) =>
        folder in before.arms && JSON.stringify(before.arms[folder]) !== JSON.stringify(data),
    )
  const differs =
    before === null
      ? null
      : before.config !== now.config
        ? 'its runs have another config'
        : before.equal !== equal
          ? `its runs have equal ${before.equal}, and equal ${equal} are asked for`
          : other
            ? `the run ${other[0]} has other data`
            : null
  if (differs !== null)
    throw new IftError(
      'IFT_RESUME_CONFIG',
      `${output} holds another ablation: ${differs}.`,
      'Put it back, or name another folder: --output DIR',
    )
  const merged = { ...now, arms: { ...before?.arms, ...now.arms } }
  await writeFileAtomic(path, `${JSON.stringify(merged, null, 2)}\n`)
}

/** Steps of an arm that make it equal to the whole in something; undefined where the config's length is that. */
async function stepsOf(
  session: LoadOptions,
  arm: Arm,
  output: string,
  equal: Equality,
  whole: ArmRun | null,
): Promise<number | undefined> {
  if (whole === null) return undefined
  if (equal === 'steps') return whole.steps
  return Ift.using(armSession(session, { data: arm.data, output, train: {} }), async (ift) => {
    const { planned, data } = await ift.planTraining()
    const anEpoch = planned.steps / planned.epochs
    if (equal === 'epochs') return Math.max(1, Math.round(anEpoch * whole.epochs))
    const tokens = data.mixture.reduce((sum, row) => sum + (row.tokens ?? 0), 0)
    return Math.max(1, Math.round((whole.tokens / tokens) * anEpoch))
  })
}

/** What a run tells while it goes on. */
export interface ArmProgress {
  readonly step: (arm: string, seed: number, step: number, of: number) => void
  readonly signal?: AbortSignal | undefined
}

/**
 * Trains an arm with a seed, or goes on with what there is of it; a run that is finished is kept. `whole` is the run of the whole with the same
 * seed, null for itself. Null where the signal ended it.
 */
export async function trainArm(
  session: LoadOptions,
  arm: Arm,
  {
    seed,
    output,
    equal,
    whole,
  }: {
    readonly seed: number
    readonly output: string
    readonly equal: Equality
    readonly whole: ArmRun | null
  },
  { step, signal }: ArmProgress,
): Promise<ArmRun | null> {
  const kept = await finished(output)
  if (kept) return { ...kept, seed, kept: true }
  const maxSteps = await stepsOf(session, arm, output, equal, whole)
  const train = { seed, ...(maxSteps === undefined ? {} : { maxSteps }) }
  const reason = await Ift.using(armSession(session, { data: arm.data, output, train }), async (ift) => {
    const hasCheckpoint = (await new RunFolder(output).steps()).length > 0
    const training = await ift.createTraining({ resume: hasCheckpoint, ranks: null })
    training.trainer.hooks.step.tap('ablate', (done) => {
      step(arm.name, seed, done.step, training.trainer.totalSteps)
    })
    return (await training.run(signal)).reason
  })
  if (reason === 'interrupted') return null
  const done = await finished(output)
  if (done) return { ...done, seed, kept: false }
  throw new IftError(
    'IFT_RUN_EXISTS',
    `${output} holds a run that has ended without an adapter.`,
    'Remove the folder, and run the same command again.',
  )
}

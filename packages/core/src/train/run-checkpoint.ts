import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { IftError, type Backend, type Tensor } from '@ift/tensor'
import { writeAdapter } from '../checkpoint/adapter.js'
import * as z from '../config/options.js'
import { removeDir, replaceDir, verifyFolder } from '../files/atomic.js'
import { readJson, type Shape } from '../files/read-json.js'
import { fromTensor, openSafetensors, writeSafetensors } from '../checkpoint/safetensors.js'
import { storedType } from '../checkpoint/numbers.js'
import { readStored } from '../checkpoint/stored.js'
import type { Ranks } from '../distributed/ranks.js'
import type { PackCursor } from '../data/pack.js'
import type { PeftHandle } from '../contract/index.js'
import type { Optimizer } from './optimizer/optimizer.js'
import { readManifest, type Manifest, type RunFolder } from './run-folder.js'
import type { EvalResult, TrainState } from '../contract/train.js'

/** State besides tensors that the rest of a run depends on. Randomness is keyed by step and has no state. */
export interface CheckpointState {
  readonly state: TrainState
  readonly cursor: PackCursor
  /** Name of the optimizer whose state this is. */
  readonly optimizer: string
  readonly optimizerStep: number
  readonly best: EvalResult | null
  /** Evaluations since the best one. */
  readonly sinceBest: number
  /** Seconds of training so far. */
  readonly seconds: number
}

const count = z.int().check(z.nonnegative())
const stateShape = z
  .looseObject({
    optimizer: z.string().optional(),
    state: z.looseObject({
      step: count,
      totalSteps: count,
      epoch: z.number(),
      tokens: count,
      trainedTokens: count,
    }),
    cursor: z.looseObject({ epoch: count, position: count }),
    optimizerStep: count,
    best: z
      .looseObject({
        step: count,
        loss: z.number().nullable(),
        tokens: count,
        metrics: z.record(z.string(), z.unknown()),
      })
      .nullable(),
    sinceBest: count,
    seconds: z.number(),
  })
  // Each epoch before that of the cursor had a step, and the order of an epoch may depend on all before it.
  .check(({ value, issues }) => {
    const { state, cursor } = value
    if (cursor.epoch > state.step)
      issues.push({
        code: 'custom',
        input: cursor.epoch,
        path: ['cursor', 'epoch'],
        message: `expected at most ${state.step}, the steps so far`,
      })
  })

const stateFile = 'state.json'
const parametersFile = 'trainable.safetensors'
const optimizerFile = 'optimizer.safetensors'
const methodFile = 'method.safetensors'
const recordFile = 'run.json'
/** Without one of these a checkpoint is none. */
const needed = [stateFile, parametersFile, optimizerFile]

const entries = (tensors: Iterable<readonly [string, Tensor]>) =>
  [...tensors].map(([name, tensor]) => fromTensor(name, tensor))

/** Writes a checkpoint that counts only when it is whole: f32 parameters, state of the optimizer and of the method, counters, adapter, the run's record, hashes. */
export async function writeCheckpoint(
  folder: RunFolder,
  record: Manifest,
  state: CheckpointState,
  optimizer: Optimizer,
  peft: PeftHandle | null,
): Promise<string> {
  const dir = folder.checkpoint(state.state.step)
  const write = async (temporary: string) => {
    await writeSafetensors(
      join(temporary, parametersFile),
      entries(optimizer.parameters.map(({ name, parameter }) => [name, parameter.master] as const)),
    )
    await writeSafetensors(join(temporary, optimizerFile), entries(optimizer.state()))
    const ofMethod = entries(peft?.state?.() ?? [])
    if (ofMethod.length) await writeSafetensors(join(temporary, methodFile), ofMethod)
    if (peft) await writeAdapter(join(temporary, 'adapter'), await peft.save())
    await writeFile(join(temporary, recordFile), `${JSON.stringify(record, null, 2)}\n`)
    await writeFile(join(temporary, stateFile), `${JSON.stringify(state, null, 2)}\n`)
  }
  await replaceDir(dir, write, { kind: 'checkpoint' })
  return dir
}

/** The manifest in a checkpoint; null in checkpoints of versions that did not write it. */
export async function readRecord(dir: string): Promise<Manifest | null> {
  const path = join(dir, recordFile)
  return existsSync(path) ? readManifest(path) : null
}

async function load(backend: Backend, path: string, targets: ReadonlyMap<string, Tensor>): Promise<void> {
  if (targets.size === 0) return
  // A method may have had no state when the checkpoint was written.
  const tensors = existsSync(path) ? (await openSafetensors(path)).tensors : null
  for (const [name, target] of targets) {
    const stored = tensors?.get(name)
    if (stored?.dtype !== storedType(target.dtype) || stored.shape.join() !== target.shape.join())
      throw new IftError(
        'IFT_CHECKPOINT_MISMATCH',
        `${path}: tensor "${name}" should be ${target.dtype} [${target.shape.join(', ')}], found ${
          stored ? `${stored.dtype} [${stored.shape.join(', ')}]` : 'nothing'
        }.`,
        'Resume with the config that the run was started with.',
      )
    backend.write(target.buf, await readStored(stored))
  }
}

/** Puts a checkpoint's values into the parameters and the state of the method alone. */
export async function restoreParameters(
  dir: string,
  backend: Backend,
  optimizer: Optimizer,
  peft: PeftHandle | null,
): Promise<void> {
  await verifyFolder(dir, needed)
  await load(
    backend,
    join(dir, parametersFile),
    new Map(optimizer.parameters.map(({ name, parameter }) => [name, parameter.master])),
  )
  for (const { parameter } of optimizer.parameters) parameter.roundFromMaster()
  await load(backend, join(dir, methodFile), new Map(peft?.state?.()))
}

/** Puts a checkpoint's values into the parameters, the method and the optimiser and returns its state. */
export async function readCheckpoint(
  dir: string,
  backend: Backend,
  optimizer: Optimizer,
  peft: PeftHandle | null,
): Promise<CheckpointState> {
  await verifyFolder(dir, needed)
  // Before optimizers had names there was one.
  const stored = await readJson(
    join(dir, stateFile),
    stateShape as unknown as Shape<Partial<CheckpointState>>,
    {
      hint: 'Resume from an earlier checkpoint.',
    },
  )
  const state = { optimizer: 'adamw', ...stored } as CheckpointState
  const { name } = optimizer.settings.definition
  if (state.optimizer !== name)
    throw new IftError(
      'IFT_CHECKPOINT_MISMATCH',
      `${dir} holds the state of the optimizer "${state.optimizer}", and this run trains with "${name}".`,
      `Go on with the same one: --train.optimizer ${state.optimizer}`,
    )
  await restoreParameters(dir, backend, optimizer, peft)
  await load(backend, join(dir, optimizerFile), new Map(optimizer.state()))
  optimizer.step = state.optimizerStep
  return state
}

/**
 * A checkpoint that rank 0 has read, on every rank: parameters, the state of the optimizer and of the method, and counters. `state` is null on the others.
 */
export async function shareCheckpoint(
  ranks: Ranks,
  state: CheckpointState | null,
  optimizer: Optimizer,
  peft: PeftHandle | null,
): Promise<CheckpointState> {
  const shared = JSON.parse(await ranks.fromFirst(state && JSON.stringify(state))) as CheckpointState
  for (const [, tensor] of optimizer.state()) ranks.shareFromFirst([tensor])
  for (const [, tensor] of peft?.state?.() ?? []) ranks.shareFromFirst([tensor])
  optimizer.step = shared.optimizerStep
  return shared
}

/** A checkpoint that could not be used, with the reason. */
export interface BrokenCheckpoint {
  readonly dir: string
  readonly error: unknown
}

/**
 * The checkpoint to resume from: `from` when it is named (a checkpoint, or a run whose newest one is meant), else the
 * newest whole one of the folder. Broken ones are passed over and reported.
 */
export async function findCheckpoint(
  folder: RunFolder,
  from: string | null,
): Promise<{ readonly dir: string | null; readonly broken: readonly BrokenCheckpoint[] }> {
  if (from !== null && existsSync(join(from, stateFile))) {
    await verifyFolder(from, needed)
    return { dir: from, broken: [] }
  }
  const broken: BrokenCheckpoint[] = []
  for (const step of await folder.steps()) {
    const dir = folder.checkpoint(step)
    try {
      await verifyFolder(dir, needed)
      return { dir, broken }
    } catch (error) {
      broken.push({ dir, error })
    }
  }
  return { dir: null, broken }
}

/** Removes old checkpoints, all but the newest `keep` and the best one. */
export async function pruneCheckpoints(folder: RunFolder, keep: number, best: number | null): Promise<void> {
  const steps = await folder.steps()
  for (const step of steps.slice(keep)) if (step !== best) await removeDir(folder.checkpoint(step))
}

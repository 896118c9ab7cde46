// Over 400 lines: the loop of a run, its steps, evaluations and checkpoints go on from one state.

import {
  backward,
  IftError,
  keep,
  ops,
  recomputeModules,
  withRandom,
  zeros,
  type Backend,
  type CausalLM,
  type Tensor,
} from '@ift/tensor'
import type { TrainConfig } from '../config/schema.js'
import type { Packer } from '../data/pack.js'
import type { PackedBatch } from '../contract/data.js'
import { GradientSum } from './gradient-sum.js'
import type { Ranks } from '../distributed/ranks.js'
import type { PeftHandle, TrainableParameter } from '../contract/index.js'
import { createTrainerHooks, type TrainerHandle, type TrainerHooks } from '../plugin/hooks.js'
import { Optimizer, type ChosenOptimizer } from './optimizer/optimizer.js'
import {
  pruneCheckpoints,
  readCheckpoint,
  restoreParameters,
  shareCheckpoint,
  writeCheckpoint,
  type CheckpointState,
} from './run-checkpoint.js'
import { evaluateLoss } from './evaluate.js'
import { forwardBatch } from './forward.js'
import { requireFinite } from './finite.js'
import { addPenalty } from './penalty.js'
import { queuedStep, type QueuedStep } from './queued-step.js'
import type { RunFolder } from './run-folder.js'
import type { RunGuard } from './run-guard.js'
import type { SampleFeed } from './sample-feed.js'
import type { Sampling } from './sampling.js'
import { RunLog } from './run-log.js'
import { createSchedule, learningRate, type Schedule } from './schedule/schedule.js'
import { stepsBetween } from './steps-between.js'
import { interruptCount, knownCount, stopCount, wishCount } from './wishes.js'
import type { EvalResult, LogRecord, TrainedModel, TrainResult, TrainState } from '../contract/train.js'
import type { TaskScores } from './task-scores.js'

export interface TrainerParts {
  readonly backend: Backend
  /** Null when this process trains alone. With ranks `packer` and `validation` give this rank's share. */
  readonly ranks: Ranks | null
  readonly model: CausalLM
  /** Null when the model's own parameters are trained. */
  readonly peft: PeftHandle | null
  readonly trainable: readonly TrainableParameter[]
  readonly packer: Packer
  /** Micro-batches of the validation split, the same every time; null when there is none. */
  readonly validation: (() => Iterable<PackedBatch>) | null
  readonly config: TrainConfig
  readonly optimizer: ChosenOptimizer
  readonly folder: RunFolder
  /** Layers, from the first, whose activations are recomputed in the backward pass. */
  readonly recomputeLayers: number
  readonly guard: RunGuard
  /** Null where all samples are there. */
  readonly feed?: SampleFeed | null
  /** Null where no prompts are answered. The first rank answers them. */
  readonly sampling?: Sampling | null
  /** Null where no tasks are asked. The first rank asks them. */
  readonly tasks?: TaskScores | null
  /** Writes the trained adapter or model; called once at the end. Returns its folder. */
  readonly saveOutput: () => Promise<string>
}

/** Steps whose numbers may still be on their way when the next one is queued. */
const stepsAhead = 2

/**
 * Trains: micro-batches, one update a step, evaluation, checkpoints. With ranks every one computes the same update from
 * the sum of all gradients, and the first one alone writes files.
 */
export class Trainer implements TrainerHandle {
  readonly hooks: TrainerHooks = createTrainerHooks()
  readonly model: CausalLM
  readonly trained: TrainedModel
  readonly totalSteps: number
  readonly schedule: Schedule
  readonly #parts: TrainerParts
  readonly #optimizer: Optimizer
  readonly #sum: GradientSum | null
  #state: TrainState
  #best: EvalResult | null = null
  #sinceBest = 0
  #secondsBefore = 0
  #finalLoss = Number.NaN

  constructor(parts: TrainerParts) {
    const { backend, model, peft, trainable, config, packer } = parts
    if (!trainable.length)
      throw new IftError(
        'IFT_TRAIN_NOTHING',
        'There is nothing to train: the method made no trainable parameters.',
        'Choose another peft.method, or peft.targetModules that match the model.',
      )
    if (config.loadBestAtEnd && (parts.validation === null || config.evalEvery === 0))
      throw new IftError(
        'IFT_CONFIG_INVALID',
        'train.loadBestAtEnd needs evaluations to choose by, and this run has none.',
        'Set validation.size or validation.data, and leave train.evalEvery above 0.',
      )
    this.#parts = parts
    this.model = model
    this.trained = { peft, trainable }
    this.totalSteps = config.maxSteps ?? Math.max(1, packer.steps(config.epochs))
    this.schedule = createSchedule(config, this.totalSteps)
    this.#optimizer = new Optimizer(backend, trainable, { ...config, ...parts.optimizer })
    this.#state = {
      step: 0,
      totalSteps: this.totalSteps,
      epoch: 0,
      tokens: 0,
      trainedTokens: 0,
      passedOver: 0,
    }
    this.#sum =
      parts.ranks && new GradientSum(parts.ranks, this.#optimizer.chunks, peft?.penalty ? 2 : 1, wishCount)
    if (parts.recomputeLayers > 0) {
      const chosen = new Set<unknown>(model.layers.slice(0, parts.recomputeLayers))
      recomputeModules(model, (_path, module) => chosen.has(module))
    }
  }

  get state(): TrainState {
    return this.#state
  }

  #every(asked: number | undefined): number {
    return stepsBetween(this.totalSteps, asked)
  }

  /** Whether this process writes the files of the run. */
  get #writes(): boolean {
    return this.#parts.ranks?.isFirst ?? true
  }

  /** Continues from a checkpoint, which the first rank reads: weights, optimiser, schedule, order of the data, counters. */
  async resume(dir: string): Promise<void> {
    const { backend, packer, peft, ranks } = this.#parts
    const own = this.#writes ? await readCheckpoint(dir, backend, this.#optimizer, peft) : null
    const saved = ranks ? await shareCheckpoint(ranks, own, this.#optimizer, peft) : own!
    packer.seek(saved.cursor)
    // Before rows were passed over there was no count of them.
    this.#state = { ...{ passedOver: 0 }, ...saved.state, totalSteps: this.totalSteps }
    this.#best = saved.best
    this.#sinceBest = saved.sinceBest
    this.#secondsBefore = saved.seconds
  }

  /**
   * Runs to the end, to a stop that a hook asks for, or to `signal`, which ends the run after the step under way with a
   * checkpoint written. An error leaves every checkpoint as it was.
   */
  async train(signal?: AbortSignal): Promise<TrainResult> {
    try {
      return await this.#run(signal)
    } catch (error) {
      this.hooks.failed.call(error)
      throw error
    }
  }

  async #run(signal: AbortSignal | undefined): Promise<TrainResult> {
    const { folder, config, peft, ranks, trainable, guard, feed = null } = this.#parts
    const warnings: string[] = []
    const warn = (warning: string) => {
      warnings.push(warning)
      this.hooks.warning.call(warning)
    }
    if (this.#writes) await folder.create()
    const log = this.#writes ? await RunLog.open(folder, this.#state.step, warn) : null
    const started = performance.now()
    const seconds = () => this.#secondsBefore + (performance.now() - started) / 1000
    const pending: QueuedStep[] = []
    /** Wishes of all ranks, from the steps whose numbers have arrived. */
    let wishes: readonly number[] = [0, 0, 0]
    let mine = [0, 0, 0]
    let lastSettled = performance.now()
    let saved = this.#state.step
    let reason: TrainResult['reason'] = 'done'
    let stoppedBy: string | undefined

    const settle = async (most: number) => {
      while (pending.length > most) {
        const queued = pending.shift()!
        const { result } = queued
        const [loss, gradientNorm] = [await result.loss(), await result.gradientNorm()]
        const penalty = await result.penalty?.()
        const now = performance.now()
        const took = (now - lastSettled) / 1000
        const tokensPerSecond = result.tokens / Math.max(1e-6, took)
        lastSettled = now
        requireFinite(result.step, loss, gradientNorm)
        this.#finalLoss = loss
        wishes = await queued.wishes
        guard.begin()
        await this.hooks.step.promise(result, this.#state)
        if (result.step % config.logEvery && result.step !== this.totalSteps) continue
        const values = {
          loss,
          ...(penalty === undefined ? {} : { penalty }),
          gradientNorm,
          learningRate: result.learningRate,
          tokens: result.tokens,
          trainedTokens: result.trainedTokens,
          tokensPerSecond,
          seconds: took,
          elapsed: seconds(),
          ...this.#memory(),
        }
        this.#log({ step: result.step, kind: 'train', values }, log)
      }
    }
    const save = async () => {
      await settle(0)
      await guard.agree()
      if (this.#writes) await this.#save(seconds())
      saved = this.#state.step
      lastSettled = performance.now()
    }

    /** Failing answers are none of the training's business. */
    let answers = this.#writes && this.#parts.sampling != null
    const sample = async () => {
      const { step } = this.#state
      const every = this.#every(config.samples.every)
      if (!answers || log === null || (step % every !== 0 && step !== this.totalSteps)) return
      // Those of a step that the run goes on from are there, unless it was interrupted before them.
      if (log.hasSamples(step)) return
      await settle(0)
      if (this.#parts.sampling!.readsHeldOut) await orSaved(feed?.heldOut())
      peft?.setTraining(false)
      try {
        log.appendSamples((await this.#parts.sampling!.answers(step, signal)) ?? [])
      } catch (error) {
        answers = false
        warn(
          `train.samples: no more prompts are answered: ${error instanceof Error ? error.message : String(error)}`,
        )
      } finally {
        peft?.setTraining(true)
      }
      lastSettled = performance.now()
    }

    /** What comes in between is saved when there is no next step. Ranks have known of it before, and have ended at the same step. */
    const orSaved = async (work: Promise<void> | undefined) => {
      try {
        await work
      } catch (error) {
        if (ranks === null && saved !== this.#state.step) await save()
        throw error
      }
    }

    try {
      peft?.setTraining(true)
      if (ranks) {
        ranks.shareFromFirst(trainable.map(({ parameter }) => parameter.master))
        for (const { parameter } of trainable) parameter.roundFromMaster()
      }
      await this.hooks.beforeTrain.promise(this.#state)
      await sample()
      while (this.#state.step < this.totalSteps) {
        await orSaved(feed?.next())
        const queued = await this.#step(mine)
        if (queued) pending.push(queued)
        await settle(stepsAhead - 1)
        if (wishes[knownCount] === ranks?.worldSize) await guard.agree()
        const { step } = this.#state
        const last = step === this.totalSteps
        const evaluateEvery = this.#every(config.evalEvery)
        if (this.#parts.validation && evaluateEvery && (step % evaluateEvery === 0 || last)) {
          await settle(0)
          await orSaved(feed?.heldOut())
          await this.#evaluate(log, warn, signal)
          if (config.loadBestAtEnd && this.#best?.step === step) await save()
          lastSettled = performance.now()
        }
        await sample()
        const saveEvery = this.#every(config.saveEvery)
        if (saveEvery && step % saveEvery === 0 && saved !== step) await save()
        stoppedBy = this.hooks.shouldStop.call(this.#state) ?? this.#outOfPatience()
        const ends = signal?.aborted === true || feed?.failure != null
        mine = [stoppedBy === undefined ? 0 : 1, ends ? 1 : 0, guard.known ? 1 : 0]
        // All ranks end at the same step: their wishes are summed with the gradients of the next one.
        const { [stopCount]: stop, [interruptCount]: interrupt } = ranks ? wishes : mine
        if (stop! > 0) {
          reason = 'stopped'
          stoppedBy ??= 'a hook of another rank'
        } else if (interrupt! > 0 && !last) reason = 'interrupted'
        if (reason !== 'done') break
      }
      if (saved !== this.#state.step) await save()
      if (reason === 'interrupted' && signal?.aborted !== true && feed?.failure) throw feed.failure.error
      if (this.#state.step > 0 && this.#state.tokens === 0)
        throw new IftError(
          'IFT_DATA_EMPTY',
          `No row of the data gave a sample: ${this.#state.passedOver} were passed over.`,
          'See what was dropped: npx ift data stats. Raise maxLength if the samples are too long.',
        )
      peft?.setTraining(false)
      // An interrupted run goes on from its last weights; only a finished one has a best.
      if (
        config.loadBestAtEnd &&
        this.#best &&
        this.#best.step !== this.#state.step &&
        reason !== 'interrupted' &&
        this.#writes
      )
        await restoreParameters(
          folder.checkpoint(this.#best.step),
          this.#parts.backend,
          this.#optimizer,
          peft,
        )
      const output = await this.#parts.saveOutput()
      const result: TrainResult = {
        steps: this.#state.step,
        reason,
        ...(stoppedBy === undefined ? {} : { stoppedBy }),
        finalLoss: this.#finalLoss,
        ...(this.#best ? { bestEval: this.#bestEval(this.#best) } : {}),
        tokens: this.#state.tokens,
        trainedTokens: this.#state.trainedTokens,
        passedOver: this.#state.passedOver,
        seconds: seconds(),
        output,
        warnings,
      }
      if (reason !== 'interrupted') await this.hooks.done.promise(result)
      return result
    } finally {
      log?.close()
    }
  }

  /**
   * Queues one optimiser step; `mine` is what this rank wants. The device is waited for where the optimizer asks for it. Null for a step of
   * which no row gave a sample: it counts, so that rate and end of the run are those of its rows, and nothing is updated.
   */
  async #step(mine: readonly number[]): Promise<QueuedStep | null> {
    const { backend, model, peft, config, packer, ranks } = this.#parts
    const { microBatches: micros, samples, trainedTokens, tokens, passedOver, next } = packer.step()
    const step = this.#state.step
    const { totalSteps } = this
    const advance = () => {
      this.#state = {
        step: step + 1,
        totalSteps,
        epoch: next.epoch + (next.position && next.position / packer.samplesIn(next.epoch)),
        tokens: this.#state.tokens + tokens,
        trainedTokens: this.#state.trainedTokens + trainedTokens,
        passedOver: this.#state.passedOver + passedOver,
      }
    }
    if (samples === 0) {
      advance()
      return null
    }
    const loss = keep(zeros(backend, [1], 'f32'))
    for (const [micro, packed] of micros.entries()) {
      const batch = this.hooks.batch.call(packed, this.#state)
      if (batch.trainedTokens === 0) continue
      // Ranks draw from streams of their own.
      const stream = ranks ? micro * ranks.worldSize + ranks.rank : micro
      withRandom({ seed: config.seed, step, micro: stream }, () => {
        forwardBatch({ backend, model, peft }, batch, ({ hidden, targets }) => {
          const part: Tensor = ops.linearCrossEntropy(hidden, model.lmHead, targets, {
            gradScale: 1 / trainedTokens,
          })
          backend.axpby(loss.buf, 1, loss.buf, 1, part.buf, 1, 'f32')
          backward(part)
        })
      })
    }
    const penalty = addPenalty(backend, peft, loss, ranks)
    const sums = this.#sum?.reduce({ shares: penalty ? [loss, penalty] : [loss], counts: mine })
    this.hooks.gradients.call(this.trained, this.#state)
    const rate = learningRate(this.schedule, step)
    const squaredNorm = await this.#optimizer.update(
      rate,
      peft?.afterUpdate &&
        ((gradientScale) => peft.afterUpdate!({ step: step + 1, totalSteps, gradientScale })),
    )
    advance()
    return queuedStep(
      { step: step + 1, learningRate: rate, tokens, trainedTokens, microBatches: micros.length },
      { loss, penalty, squaredNorm, wishes: sums ?? mine },
    )
  }

  /** Bytes on the device now and at most so far; files that are mapped are not among them. */
  #memory(): { readonly memory: number; readonly peakMemory: number } {
    const { allocated, peak } = this.#parts.backend.memory()
    return { memory: allocated, peakMemory: peak }
  }

  #log(record: LogRecord, log: RunLog | null): void {
    if (!log) return
    log.append(record)
    this.hooks.log.call(record)
  }

  /** Loss of the validation split now; also the way for an embedder to ask for it, on every rank. */
  async evaluate(signal?: AbortSignal): Promise<EvalResult> {
    const { backend, model, peft, validation, ranks, tasks = null } = this.#parts
    if (!validation)
      throw new IftError(
        'IFT_NO_VALIDATION',
        'There is no validation data to evaluate on.',
        'Set validation.size or validation.data.',
      )
    peft?.setTraining(false)
    const { loss, tokens } = await evaluateLoss(backend, model, peft, validation(), ranks)
    let metrics: EvalResult['metrics'] = {}
    try {
      if (tasks) metrics = await tasks.of(this.#state.step, ranks, signal)
    } finally {
      peft?.setTraining(true)
    }
    const result: EvalResult = { step: this.#state.step, loss, tokens, metrics }
    return this.hooks.evaluate.promise(result, this.#state)
  }

  async #evaluate(
    log: RunLog | null,
    warn: (warning: string) => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const started = performance.now()
    const result = await this.evaluate(signal)
    const { tasks } = this.#parts
    if (tasks?.failure) warn(tasks.failure)
    const seconds = (performance.now() - started) / 1000
    if (tasks?.best ? tasks.isBetter(result, this.#best) : !this.#best || result.loss < this.#best.loss) {
      this.#best = result
      this.#sinceBest = 0
    } else this.#sinceBest++
    this.#log(
      { step: result.step, kind: 'eval', values: { loss: result.loss, seconds, ...result.metrics } },
      log,
    )
  }

  #outOfPatience(): string | undefined {
    const { earlyStopping } = this.#parts.config
    if (earlyStopping === undefined || this.#sinceBest < earlyStopping) return undefined
    return `no better ${this.#parts.tasks?.best?.metric ?? 'validation loss'} in ${this.#sinceBest} evaluations`
  }

  #bestEval({ step, loss, metrics }: EvalResult): NonNullable<TrainResult['bestEval']> {
    const metric = this.#parts.tasks?.best?.metric
    const value = metric === undefined ? undefined : metrics[metric]
    return { step, loss, ...(value !== undefined && { chosenBy: { metric: metric!, value } }) }
  }

  async #save(seconds: number): Promise<void> {
    const { folder, packer, peft, config } = this.#parts
    const state: CheckpointState = {
      state: this.#state,
      cursor: packer.cursor,
      optimizer: this.#parts.optimizer.definition.name,
      optimizerStep: this.#optimizer.step,
      best: this.#best,
      sinceBest: this.#sinceBest,
      seconds,
    }
    const record = await this.#parts.guard.confirm()
    const dir = await writeCheckpoint(folder, record, state, this.#optimizer, peft)
    await pruneCheckpoints(folder, config.keepCheckpoints, this.#best?.step ?? null)
    await this.hooks.checkpoint.promise({ dir, step: this.#state.step }, this.#state)
  }

  release(): void {
    this.#sum?.release()
    this.#optimizer.release()
  }
}

import { IftError } from '@ift/tensor'
import type { EvalResult, RunTasks } from '../contract/train.js'
import type { Ranks } from '../distributed/ranks.js'
import { suggest } from '../suggest.js'

/** What the best evaluation is chosen by. */
export interface BestMetric {
  /** `task.metric`. */
  readonly metric: string
  readonly lowerIsBetter: boolean
}

/** The metric that `evaluate.best` names, by itself or by its task. IFT_CONFIG_INVALID for one that there is not. */
export function bestMetric({ metrics, main }: RunTasks, best: string | undefined): BestMetric | null {
  if (best === undefined) return null
  const metric = main.get(best) ?? best
  const found = metrics.get(metric)
  if (found) return { metric, ...found }
  const names = [...main.keys(), ...metrics.keys()]
  const near = suggest(best, names)
  throw new IftError(
    'IFT_CONFIG_INVALID',
    `evaluate.best: expected a task of evaluate.tasks or one of its metrics, found "${best}".`,
    `${near === null ? '' : `Did you mean "${near}"? `}There are: ${names.join(', ')}`,
  )
}

/** Scores of tasks while a run trains. The first rank asks, and all of them know. */
export class TaskScores {
  /** Why the last evaluation has no scores; null where it has. */
  failure: string | null = null

  constructor(
    readonly tasks: RunTasks,
    readonly best: BestMetric | null,
  ) {}

  /**
   * The means of the model as it is now. What goes wrong is in `failure`, and ends no run: a server that judges, or a file that somebody
   * moves, is no reason to lose the training.
   */
  async of(
    step: number,
    ranks: Ranks | null,
    signal: AbortSignal | undefined,
  ): Promise<Readonly<Record<string, number>>> {
    let found: Readonly<Record<string, number>> | null = null
    this.failure = null
    if (ranks?.isFirst ?? true)
      try {
        found = await this.tasks.run(step, signal)
      } catch (error) {
        if (signal?.aborted !== true)
          this.failure = `evaluate.tasks: step ${step} has no scores: ${error instanceof Error ? error.message : String(error)}`
      }
    if (!ranks) return found ?? {}
    return JSON.parse((await ranks.fromFirst(JSON.stringify(found ?? {}))) || '{}') as Record<string, number>
  }

  /** Whether an evaluation is the best so far; one without a score never is. */
  isBetter(result: EvalResult, before: EvalResult | null): boolean {
    const { metric, lowerIsBetter } = this.best!
    const [now, best] = [result.metrics[metric], before?.metrics[metric]]
    if (now === undefined) return false
    return best === undefined || (lowerIsBetter ? now < best : now > best)
  }
}

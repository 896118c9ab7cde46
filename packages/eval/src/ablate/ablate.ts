import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { Ift, RunFolder, version, writeFileAtomic, type LoadOptions } from '@ift/core'
import { evaluate, prepareTask, type TaskEvaluation, type TaskRequest } from '../evaluate.js'
import type { Judge } from '../judging.js'
import { LocalModel } from '../model/local.js'
import { armsOf, wholeName, type Arm } from './arms.js'
import {
  adjust,
  changedAnswers,
  compareArms,
  type ArmEvaluations,
  type Cell,
  type ChangedAnswer,
} from './compare.js'
import { ablationPage } from './html.js'
import type { AblationReport } from './report.js'
import {
  armSession,
  claimFolder,
  folderOf,
  trainArm,
  type ArmProgress,
  type ArmRun,
  type Equality,
} from './runs.js'

/** What an ablation is of. */
export interface AblationRequest {
  /** What is left out, each by itself: names, tags or selections of datasets. */
  readonly drop?: readonly string[]
  /** What is added, each by itself: names or files. */
  readonly add?: readonly string[]
  /** What the runs are compared by. */
  readonly tasks: (ift: Ift) => Promise<readonly TaskRequest[]>
  /** Runs of each arm, with seeds from the config's on. Default 1. */
  readonly seeds?: number
  readonly equal?: Equality
  readonly judge?: Judge | undefined
}

export interface AblationProgress extends ArmProgress {
  readonly note: (text: string) => void
  readonly evaluated: (arm: string, task: string, done: number, of: number) => void
}

/** What was written, with the report. */
export interface Ablation {
  readonly report: AblationReport
  readonly html: string
  readonly json: string
}

/** Items that are shown with both answers. */
const mostChanged = 20

interface DoneRun {
  readonly arm: Arm
  readonly run: ArmRun
  readonly evaluations: readonly TaskEvaluation[]
  readonly seconds: number
}

/** Evaluates what a run trained, on the device of the config. */
async function evaluateRun(
  session: LoadOptions,
  { arm, run }: Pick<DoneRun, 'arm' | 'run'>,
  request: AblationRequest,
  { evaluated, signal }: AblationProgress,
): Promise<readonly TaskEvaluation[]> {
  const folder = new RunFolder(run.dir)
  const own = armSession(session, { data: arm.data, output: run.dir, train: { seed: run.seed } })
  const trained = existsSync(folder.adapter) ? { adapter: folder.adapter } : { weights: folder.model }
  // An adapter that the run began from is not what it came to.
  const flags = Object.fromEntries(Object.entries(own.flags ?? {}).filter(([path]) => !(path in trained)))
  return Ift.using({ ...own, flags, overrides: { ...own.overrides, ...trained } }, async (ift) => {
    const open = await ift.openModel()
    const model = await LocalModel.of(open, await ift.createGenerator(open, { keepPrefixes: true }))
    return evaluate(model, await request.tasks(ift), {
      ...{ output: join(run.dir, 'eval'), judge: request.judge, signal },
      onProgress: (task, done, of) => {
        evaluated(arm.name, task, done, of)
      },
    })
  })
}

/** The name of a model without the folders of this machine. */
const shownModel = (name: string) => basename(name.replaceAll('\\', '/')) || name

/**
 * Trains the data of a config and the same without or with each part, evaluates every run on the same items, and writes ablation.json and
 * ablation.html into the config's output folder. Runs and samples that are finished are kept, so the same command goes on after an interruption.
 * Null where the signal ended it. IFT_RESUME_CONFIG where the folder holds another ablation.
 */
export async function ablate(
  session: LoadOptions,
  request: AblationRequest,
  progress: AblationProgress,
): Promise<Ablation | null> {
  const { equal = 'steps', seeds: count = 1 } = request
  const { note, signal } = progress
  const { arms, output, first, method, tasks } = await Ift.using(session, async (ift) => {
    const found = armsOf(ift, request)
    const dir = folderOf(ift)
    const asked = await request.tasks(ift)
    // What is wrong with a task is said before hours of training.
    for (const task of asked) await prepareTask(task)
    await mkdir(dir, { recursive: true })
    await claimFolder(dir, ift.config, found, equal)
    const { peft, train } = ift.config
    return { arms: found, output: dir, first: train.seed, method: peft.method, tasks: asked }
  })
  const seeds = Array.from({ length: count }, (_, i) => first + i)
  const done: DoneRun[] = []
  for (const seed of seeds) {
    let whole: ArmRun | null = null
    for (const arm of arms) {
      const dir = join(output, arm.folder, `seed-${seed}`)
      const run = await trainArm(session, arm, { seed, output: dir, equal, whole }, progress)
      if (run === null) return null
      if (arm.name === wholeName) whole = run
      note(
        `${arm.name}, seed ${seed}: ${run.steps} steps, loss ${run.finalLoss.toFixed(4)}${run.kept ? ', kept' : `, ${run.seconds.toFixed(0)} s`}`,
      )
      const started = performance.now()
      const evaluations = await evaluateRun(session, { arm, run }, request, progress).catch(
        (error: unknown) => {
          if (signal?.aborted) return null
          throw error
        },
      )
      if (evaluations === null || signal?.aborted) return null
      done.push({ arm, run, evaluations, seconds: (performance.now() - started) / 1000 })
      for (const { results } of evaluations) {
        const { mean, low, high } = results.metrics[results.task.main]!
        if (mean !== null)
          note(
            `  ${results.task.name} ${results.task.main} ${mean.toFixed(4)}${low === null || high === null ? '' : ` [${low.toFixed(4)}, ${high.toFixed(4)}]`}`,
          )
      }
    }
  }
  const report = reportOf({
    output,
    arms,
    seeds,
    equal,
    method,
    tasks,
    done,
    device: await deviceOf(done[0]!.run.dir),
  })
  const [json, html] = [join(output, 'ablation.json'), join(output, 'ablation.html')]
  await writeFileAtomic(json, `${JSON.stringify(report, null, 2)}\n`)
  await writeFileAtomic(html, ablationPage(report))
  return { report, html, json }
}

/** Items of several lists, the first of each, then the second. */
const inTurn = <T>(lists: readonly (readonly T[])[]): T[] =>
  Array.from({ length: Math.max(0, ...lists.map((list) => list.length)) }, (_, rank) =>
    lists.flatMap((list) => list.slice(rank, rank + 1)),
  ).flat()

const deviceOf = async (dir: string) => (await new RunFolder(dir).readManifest())?.device ?? ''

function reportOf({
  output,
  arms,
  seeds,
  equal,
  method,
  device,
  tasks,
  done,
}: {
  readonly output: string
  readonly arms: readonly Arm[]
  readonly seeds: readonly number[]
  readonly equal: Equality
  readonly method: string
  readonly device: string
  readonly tasks: readonly TaskRequest[]
  readonly done: readonly DoneRun[]
}): AblationReport {
  const cells: Cell[] = []
  const changed: ChangedAnswer[][] = []
  for (const [i, { task }] of tasks.entries()) {
    const evaluated = arms.map(({ name }): ArmEvaluations => ({
      arm: name,
      evaluations: done.filter(({ arm }) => arm.name === name).map(({ evaluations }) => evaluations[i]!),
    }))
    cells.push(...compareArms(task, evaluated))
    changed.push(changedAnswers(task, evaluated, mostChanged))
  }
  const { results } = done[0]!.evaluations[0]!
  return {
    ...{ format: 1, ift: version, finished: new Date().toISOString() },
    ...{ model: shownModel(results.model.name), method, device, equal, seeds },
    arms: arms.map(({ name, changed: sets }) => ({
      ...{ name, changed: sets.map(shownModel) },
      runs: done
        .filter(({ arm }) => arm.name === name)
        .map(({ run: { kept: _, mixture, ...run }, seconds }) => ({
          ...run,
          dir: relative(output, run.dir).replaceAll('\\', '/'),
          mixture: mixture.map((row) => ({ ...row, name: shownModel(row.name) })),
          evaluation: seconds,
        })),
    })),
    tasks: tasks.map(({ task }) => {
      const { description, lowerIsBetter = false } = task.metrics[task.main]!
      const items = cells.find((cell) => cell.task === task.name)?.n ?? 0
      return {
        ...{ name: task.name, version: task.version, metric: task.main },
        description,
        lowerIsBetter,
        items,
      }
    }),
    cells: adjust(cells),
    changed: inTurn(changed).slice(0, mostChanged),
  }
}

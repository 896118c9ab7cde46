import {
  IftError,
  localPath,
  type OpenModel,
  type RunTasks,
  type TasksRequest,
  type TextGenerator,
} from '@ift/core'
import { evaluateTask, prepareTask, type PreparedTask } from './evaluate.js'
import { LocalModel } from './model/local.js'

/** Reads the tests of `evaluate.tasks`; the model as it is between two steps is asked them. */
export async function openTasks({ rootDir, tasks, open, makeGenerator }: TasksRequest): Promise<RunTasks> {
  const prepared: PreparedTask[] = []
  const metrics = new Map<string, { readonly lowerIsBetter: boolean }>()
  const main = new Map<string, string>()
  for (const { task, data, shotsData, as, ...how } of tasks) {
    if (task.judge)
      throw new IftError(
        'IFT_CONFIG_INVALID',
        `evaluate.tasks: ${task.name} needs a judge, and a run has none.`,
        `Evaluate its result: npx ift eval ${task.name} --judge-url URL --judge-model NAME`,
      )
    prepared.push(
      await prepareTask({
        task,
        data: localPath(rootDir, data),
        shotsData: shotsData === undefined ? undefined : localPath(rootDir, shotsData),
        prompt: as,
        ...how,
      }),
    )
    for (const [name, metric] of Object.entries(task.metrics))
      metrics.set(`${task.name}.${name}`, { lowerIsBetter: metric.lowerIsBetter ?? false })
    main.set(task.name, `${task.name}.${task.main}`)
  }
  return {
    metrics,
    main,
    async run(step, signal) {
      const generator = makeGenerator() as TextGenerator
      const found: Record<string, number> = {}
      try {
        const model = await LocalModel.of(open as OpenModel, generator, { step })
        for (const one of prepared) {
          const { results } = await evaluateTask(model, one, { signal })
          for (const [name, { mean }] of Object.entries(results.metrics))
            if (mean !== null) found[`${results.task.name}.${name}`] = mean
        }
        return found
      } catch (error) {
        if (signal?.aborted === true) return null
        throw error
      } finally {
        await generator.release()
      }
    },
  }
}

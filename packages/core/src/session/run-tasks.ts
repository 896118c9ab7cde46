import { IftError } from '@ift/tensor'
import type { ResolvedConfig } from '../config/schema.js'
import type { AskedTask, RunTasks } from '../contract/train.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import { bestMetric, TaskScores } from '../train/task-scores.js'
import type { OpenModel } from './open-model.js'
import type { TextGenerator } from './text-generator.js'

/** The package that asks tasks, by the verb that it brings. */
const asking = { verb: 'eval', package: '@ift/eval' }

const invalid = (message: string, hint: string) => new IftError('IFT_CONFIG_INVALID', message, hint)

/**
 * The tasks of `evaluate.tasks`, with their tests read; null where it names none. The package that asks them answers the hook `tasks`. IFT_PLUGIN_NOT_FOUND
 * where it is not installed.
 */
export async function openRunTasks(
  session: PluginSession,
  config: ResolvedConfig,
  open: OpenModel,
  evaluates: boolean,
  makeGenerator: () => TextGenerator,
): Promise<TaskScores | null> {
  const { tasks: asked, best } = config.evaluate
  if (asked.length === 0) {
    if (best === undefined) return null
    throw invalid(
      `evaluate.best: "${best}" is chosen by, and evaluate.tasks names no task.`,
      'Name it: evaluate: { tasks: [{ name: "gsm8k", data: "./gsm8k" }] }',
    )
  }
  if (!evaluates)
    throw invalid(
      'evaluate.tasks are asked when the validation loss is taken, and this run takes none.',
      'Set validation.size or validation.data, and leave train.evalEvery above 0.',
    )
  const twice = asked.find(({ name }, i) => asked.findIndex((one) => one.name === name) !== i)
  if (twice)
    throw invalid(
      `evaluate.tasks: ${twice.name} is there twice.`,
      'Leave one of them out, or join their data.',
    )
  const tasks: AskedTask[] = []
  for (const { name, ...how } of asked) tasks.push({ task: await session.task(name), ...how })
  try {
    await session.verb(asking.verb)
  } catch (cause) {
    throw new IftError(
      'IFT_PLUGIN_NOT_FOUND',
      `evaluate.tasks are asked by ${asking.package}, which is not installed.`,
      `Install it next to your config:\n\n    npm install ${asking.package}\n`,
      { cause },
    )
  }
  const { rootDir } = session
  // A hook that nobody taps gives nothing, whatever its type says.
  const answered = session.hooks.tasks.promise({ rootDir, tasks, open, makeGenerator }) as Promise<
    RunTasks | undefined
  >
  const found = await answered.catch((error: unknown) => {
    // What is wrong with the config is no failure of the package that says so.
    throw error instanceof IftError && error.cause instanceof IftError ? error.cause : error
  })
  if (!found)
    throw new IftError(
      'IFT_PLUGIN_INVALID',
      `${asking.package} does not ask tasks while a run trains.`,
      `Update it: npm install ${asking.package}@latest`,
    )
  return new TaskScores(found, bestMetric(found, best))
}

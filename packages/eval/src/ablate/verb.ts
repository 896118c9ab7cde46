import { Ift, IftError, localPath, readRegularSync, verb } from '@ift/core'
import { join } from 'node:path'
import type { TaskRequest } from '../evaluate.js'
import { withJudge } from '../judge-option.js'
import { ablate } from './ablate.js'
import type { AblationReport } from './report.js'
import { equalities, folderOf } from './runs.js'

/** `--task-options`: JSON, or a file of it behind @. */
const mostOptionBytes = 1 << 20

function taskOptions(text: string | undefined, cwd: string): Readonly<Record<string, unknown>> {
  if (text === undefined) return {}
  const fault = (found: string, cause?: unknown) =>
    new IftError(
      'IFT_USAGE',
      `--task-options expected an object of JSON by the names of tasks, found ${found.slice(0, 80)}`,
      `Such as --task-options '{"regex": {"pattern": "answer: (.*)"}}', or @FILE with it.`,
      { cause },
    )
  const json = text.startsWith('@')
    ? readRegularSync(localPath(cwd, text.slice(1)), mostOptionBytes).toString('utf8')
    : text
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (cause) {
    throw fault(json, cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fault(json)
  return value as Readonly<Record<string, unknown>>
}

/** `gsm8k=./gsm8k,loss=./valid.jsonl` as places by the names of tasks. */
function taskPlaces(texts: readonly string[], cwd: string): Map<string, string> {
  const places = new Map<string, string>()
  for (const part of texts.flatMap((text) => text.split(','))) {
    const [, name, place] = /^([\w@/.-]+?)=(.+)$/.exec(part.trim()) ?? []
    if (name === undefined || place === undefined)
      throw new IftError(
        'IFT_USAGE',
        `--tasks names ${JSON.stringify(part)}, expected a task with its test.`,
        '--tasks gsm8k=./gsm8k,loss=./valid.jsonl',
      )
    if (places.has(name))
      throw new IftError('IFT_USAGE', `--tasks names ${name} twice.`, 'Name each task once.')
    places.set(name, localPath(cwd, place))
  }
  return places
}

const digits = (value: number) => value.toFixed(4)

/** Runs by tasks, for a terminal. */
function rowsOf({ cells }: AblationReport, task: string): (readonly [string, string])[] {
  return cells
    .filter((cell) => cell.task === task)
    .map(({ arm, mean, low, high, difference }) => {
      if (mean === null) return [arm, 'no score'] as const
      const interval = low === null || high === null ? '' : ` [${digits(low)}, ${digits(high)}]`
      if (!difference) return [arm, `${digits(mean)}${interval}`] as const
      const { mean: by, low: least, high: most, adjusted } = difference
      const bounds = least === null || most === null ? '' : ` [${digits(least)}, ${digits(most)}]`
      const p = `, p ${adjusted < 0.001 ? '< 0.001' : adjusted.toFixed(3)}`
      return [arm, `${digits(mean)}${interval}, ${by >= 0 ? '+' : ''}${digits(by)}${bounds}${p}`] as const
    })
}

export const ablateVerb = verb({
  name: 'ablate',
  description: 'Train with and without parts of the data, and compare the runs on tasks.',
  example: 'npx ift ablate --drop cot --drop lang:zh --tasks gsm8k=./gsm8k,loss=./valid.jsonl',
  help: 'Runs and their results lie in the output folder of the config; what is finished is kept. See docs/ablation.md.',
  config: ['weights', 'data', 'output', 'train.maxSteps', 'train.epochs', 'train.seed'],
  options: {
    drop: {
      type: 'string',
      value: 'part',
      several: true,
      description: 'a set, a tag or a selection of sets to leave out; each is a run of its own',
    },
    add: {
      type: 'string',
      value: 'set',
      several: true,
      description: 'a set or a file to add; each is a run of its own',
    },
    tasks: {
      type: 'string',
      value: 'task=path',
      several: true,
      required: true,
      description: 'tasks with the files or folders of their tests, with commas between',
    },
    taskOptions: {
      type: 'string',
      value: 'json',
      description: 'options of the tasks by their names, as JSON or @FILE',
    },
    seeds: {
      type: 'integer',
      min: 1,
      max: 100,
      default: 1,
      description: 'runs of each, with seeds one apart',
    },
    equal: {
      type: 'choice',
      choices: equalities,
      default: 'steps',
      description: 'what all runs have as much of',
    },
    limit: { type: 'integer', min: 1, description: 'items of a task at most, evenly spread over its test' },
    maxNewTokens: { type: 'integer', min: 1, description: "tokens of an answer; the task's when absent" },
    judgeUrl: {
      type: 'string',
      value: 'url',
      description: "server with OpenAI's API that judges, up to /v1",
    },
    judgeModel: { type: 'string', value: 'name', description: 'its model' },
    judgeConcurrency: { type: 'integer', min: 1, max: 64, default: 4, description: 'judgements at a time' },
    json: { type: 'boolean', description: 'print the report as JSON' },
  },
  async run({ terminal, session, options, cwd, untilInterrupted }) {
    const places = taskPlaces(options.tasks, cwd)
    const own = taskOptions(options.taskOptions, cwd)
    const stray = Object.keys(own).find((name) => !places.has(name))
    if (stray !== undefined)
      throw new IftError(
        'IFT_USAGE',
        `--task-options has ${stray}, which is no task of --tasks.`,
        `--tasks ${stray}=PATH`,
      )
    const tasks = async (ift: Ift) => {
      const requests: TaskRequest[] = []
      for (const [name, data] of places)
        requests.push({
          task: await ift.task(name),
          ...{ data, limit: options.limit, maxNewTokens: options.maxNewTokens, options: own[name] },
        })
      return requests
    }
    const output = await Ift.using(session, (ift) => Promise.resolve(folderOf(ift)))
    const redraw = (line: string) => {
      if (terminal.interactive) terminal.redraw(line)
    }
    const done = await withJudge(options, join(output, 'judge.jsonl'), (judge) =>
      untilInterrupted('Stopping; the same command goes on from here.', (signal) =>
        ablate(
          session,
          {
            ...{ drop: options.drop ?? [], add: options.add ?? [], tasks, judge },
            ...{ seeds: options.seeds, equal: options.equal },
          },
          {
            signal,
            note(text) {
              redraw('')
              terminal.note(text)
            },
            step(arm, seed, step, of) {
              redraw(`${arm}, seed ${seed}: step ${step}/${of}`)
            },
            evaluated(arm, task, at, of) {
              redraw(`${arm}: ${task} ${at}/${of}`)
            },
          },
        ),
      ),
    )
    redraw('')
    if (done === null) return 130
    if (options.json) terminal.json(done.report)
    else
      for (const { name, metric } of done.report.tasks)
        terminal.table(
          rowsOf(done.report, name),
          `${name} ${metric}: mean [95 % interval], difference to all`,
        )
    terminal.note(`report: ${done.html}`)
    return 0
  },
})

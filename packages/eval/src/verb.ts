import { Ift, IftError, localPath, readRegularSync, verb, type TaskDefinition } from '@ift/core'
import { join } from 'node:path'
import { dryRun } from './dry-run.js'
import { evaluate, type TaskRequest } from './evaluate.js'
import { withJudge } from './judge-option.js'
import { EndpointModel } from './model/endpoint.js'
import { LocalModel } from './model/local.js'
import type { EvalModel } from './model/model.js'
import { showResults } from './report.js'
import { trainingData, type TrainingData } from './training-data.js'

/** `--options`: JSON, or a file of it behind @. */
const mostOptionBytes = 1 << 20

function optionsOf(text: string | undefined, cwd: string): unknown {
  if (text === undefined) return undefined
  const json = text.startsWith('@')
    ? readRegularSync(localPath(cwd, text.slice(1)), mostOptionBytes).toString('utf8')
    : text
  try {
    return JSON.parse(json) as unknown
  } catch (cause) {
    throw new IftError(
      'IFT_USAGE',
      `--options expected JSON, found ${json.slice(0, 80)}`,
      `Such as --options '{"pattern": "answer: (.*)"}', or @FILE with it.`,
      { cause },
    )
  }
}

/** The file or folder of a task: `--data PATH` for one task, `--data TASK=PATH,TASK=PATH` for several. */
export function placesOf(
  text: string | undefined,
  tasks: readonly string[],
  cwd: string,
): Map<string, string> {
  const places = new Map<string, string>()
  if (text === undefined) return places
  const named = text.split(',').map((part) => /^([\w-]+)=(.+)$/.exec(part))
  if (named.every((match) => match !== null && tasks.includes(match[1]!)))
    for (const match of named) places.set(match![1]!, localPath(cwd, match![2]!))
  else for (const task of tasks) places.set(task, localPath(cwd, text))
  return places
}

export const evalVerb = verb({
  name: 'eval',
  description: 'Evaluate a model or adapter on tasks.',
  example: 'npx ift eval gsm8k --data ./gsm8k --weights ./model --adapter ./run/adapter --limit 100',
  help: 'Tasks, their data and what the numbers mean: docs/evaluation.md. Run again, it asks for nothing that is there.',
  config: ['weights', 'adapter', 'template', 'device', 'dtype', 'quantize', 'deterministic'],
  operands: {
    tasks: {
      description: 'names of tasks, of @ift/eval or of other packages',
      required: true,
      several: true,
    },
  },
  options: {
    data: {
      type: 'string',
      value: 'path',
      required: true,
      description: 'file or folder with the test; task=path,task=path for several',
    },
    shotsData: { type: 'string', value: 'path', description: 'file or folder with examples to show' },
    shots: {
      type: 'integer',
      min: 0,
      max: 64,
      description: "examples before a question; the task's when absent",
    },
    limit: { type: 'integer', min: 1, description: 'items at most, evenly spread over the test' },
    as: {
      type: 'choice',
      choices: ['text', 'instruction'],
      description: 'continue the prompt as it is, or ask it under the template',
    },
    maxNewTokens: { type: 'integer', min: 1, description: "tokens of an answer; the task's when absent" },
    options: { type: 'string', value: 'json', description: 'options of the task, as JSON or @FILE' },
    against: {
      type: 'string',
      value: 'dir',
      description: 'results of another run to compare with, item by item',
    },
    output: { type: 'string', short: 'o', value: 'dir', description: 'folder for results; eval when absent' },
    use: { type: 'string', value: 'name', description: 'of several adapters, the one to evaluate' },
    endpoint: {
      type: 'string',
      value: 'url',
      description: "server with OpenAI's API that answers, up to /v1",
    },
    model: { type: 'string', value: 'name', description: 'its model; the first one when absent' },
    concurrency: { type: 'integer', min: 1, max: 256, default: 8, description: 'requests to it at a time' },
    judgeUrl: {
      type: 'string',
      value: 'url',
      description: "server with OpenAI's API that judges, up to /v1",
    },
    judgeModel: { type: 'string', value: 'name', description: 'its model' },
    judgeConcurrency: { type: 'integer', min: 1, max: 64, default: 4, description: 'judgements at a time' },
    trainedOn: {
      type: 'string',
      value: 'paths',
      description:
        "training data to look for items in; the config's, or those of the adapter's run, when absent",
    },
    noContamination: { type: 'boolean', description: 'do not look for items in training data' },
    dryRun: { type: 'boolean', description: 'ask nothing: numbers of requests, calls of a judge and tokens' },
    json: { type: 'boolean', description: 'print the results as JSON' },
  },
  run({ terminal, session, options, operands, cwd, untilInterrupted }) {
    return Ift.using(session, async (ift) => {
      const names = [...new Set(operands.tasks)]
      const definitions: TaskDefinition[] = []
      for (const name of names) definitions.push(await ift.task(name))
      const data = placesOf(options.data, names, cwd)
      const shotsData = placesOf(options.shotsData, names, cwd)
      const own = optionsOf(options.options, cwd)
      const requests = definitions.map((task): TaskRequest => {
        const place = data.get(task.name)
        if (place === undefined)
          throw new IftError(
            'IFT_USAGE',
            `${task.name}: --data names no file for it.`,
            `--data ${names.map((name) => `${name}=PATH`).join(',')}`,
          )
        return {
          task,
          data: place,
          ...{ shotsData: shotsData.get(task.name), shots: options.shots, limit: options.limit },
          ...{ prompt: options.as, maxNewTokens: options.maxNewTokens, options: own },
          against: options.against === undefined ? undefined : localPath(cwd, options.against),
        }
      })
      const output = localPath(cwd, options.output ?? 'eval')
      if (options.dryRun) {
        const plan = await dryRun(requests)
        if (options.json) terminal.json(plan)
        else
          terminal.table(
            plan.flatMap(({ rows }) => rows),
            'nothing is asked',
          )
        return 0
      }
      const model = await openModel(ift, options)
      const trained = options.noContamination ? null : await trainingData(ift, options.trainedOn, cwd)
      const look = async ({ entries, manifest }: TrainingData, questions: readonly string[]) => {
        try {
          return await ift.sharedWithData(questions, entries)
        } catch (error) {
          // What a run was trained on may have been moved since.
          if (manifest === null || !(error instanceof IftError)) throw error
          terminal.note(`not looked for in the data of ${manifest}: ${error.message}`)
          return null
        }
      }
      const evaluations = await withJudge(options, join(output, 'judge.jsonl'), (judge) =>
        untilInterrupted(
          'Stopping; the samples so far are kept, and the same command goes on from them.',
          (signal) =>
            evaluate(model, requests, {
              ...{ output, judge, signal },
              ...(trained && { trainedOn: (questions) => look(trained, questions) }),
              onProgress(task, done, of) {
                if (terminal.interactive) terminal.redraw(`${task} ${done}/${of}`)
              },
            }),
        ),
      )
      if (terminal.interactive) terminal.redraw('')
      if (options.json) terminal.json(evaluations.map(({ results }) => results))
      else for (const { results, dir } of evaluations) showResults(terminal, results, dir)
      // Where nothing could be asked, there is no result.
      return evaluations.some(({ results }) => results.refused === results.data.asked) ? 1 : 0
    })
  },
})

/** The model of the config, or of a server. */
async function openModel(
  ift: Ift,
  {
    endpoint,
    model,
    use,
    concurrency,
  }: {
    endpoint?: string | undefined
    model?: string | undefined
    use?: string | undefined
    concurrency: number
  },
): Promise<EvalModel> {
  if (endpoint !== undefined)
    return EndpointModel.open({ url: endpoint, model, concurrency, key: process.env['IFT_EVAL_API_KEY'] })
  if (model !== undefined)
    throw new IftError(
      'IFT_USAGE',
      '--model names a model of a server, and none is named.',
      'Name it: --endpoint URL',
    )
  const open = await ift.openModel()
  if (use !== undefined && !open.adapters)
    throw new IftError(
      'IFT_USAGE',
      '--use chooses among several adapters, and there are none.',
      '--adapter NAME=DIR',
    )
  const generator = await ift.createGenerator(open, { keepPrefixes: true })
  return LocalModel.of(open, generator, use === undefined ? {} : { adapter: use === 'base' ? null : use })
}

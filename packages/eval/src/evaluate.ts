import { createHash } from 'node:crypto'
import { isAbsolute, join, relative, resolve } from 'node:path'
import {
  IftError,
  version,
  writeFileAtomic,
  type OverlapReport,
  type TaskContext,
  type TaskDefinition,
} from '@ift/core'
import { compareRuns, samplesOf } from './compare.js'
import { called, readDocuments, spread, type LocatedDocument } from './documents.js'
import { Judging, mostJudgedCharacters, type Judge } from './judging.js'
import type { EvalModel, ModelFacts } from './model/model.js'
import { promptOf, promptText } from './prompt.js'
import type { ContaminationResult, EvalResults, EvalSample } from './results.js'
import { SamplesFile } from './samples-file.js'
import { checkedScores, summarise } from './summary.js'

/** A task, and how it is to be asked. */
export interface TaskRequest {
  readonly task: TaskDefinition
  /** File or folder with the test. */
  readonly data: string
  /** File or folder with examples that are shown; that of `data` when absent. */
  readonly shotsData?: string | undefined
  /** Examples before the question; those of the task when absent. */
  readonly shots?: number | undefined
  /** Items at most, evenly spread over the test. */
  readonly limit?: number | undefined
  /** How a text is given to the model; as the task has it when absent. */
  readonly prompt?: 'text' | 'instruction' | undefined
  /** New tokens of an answer at most; those of the task when absent. */
  readonly maxNewTokens?: number | undefined
  readonly options?: unknown
  /** Folder of results, or samples.jsonl, of another run that this one is compared with, item by item. */
  readonly against?: string | undefined
}

export interface EvaluateOptions {
  /** Folder that results are written to, one of its own for each task; nothing is written when absent. */
  readonly output?: string | undefined
  readonly judge?: Judge | undefined
  /** Which of the questions the training data hold; not looked for when absent. */
  readonly trainedOn?: ((questions: readonly string[]) => Promise<OverlapReport | null>) | undefined
  /** Told of each item that is done. */
  readonly onProgress?: ((task: string, done: number, of: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** What came of a task. */
export interface TaskEvaluation {
  readonly results: EvalResults
  /** In the order of the test. */
  readonly samples: readonly EvalSample[]
  /** Folder with results.json and samples.jsonl; null where nothing is written. */
  readonly dir: string | null
}

/** A task with its items, before anything is asked. */
export interface PreparedTask {
  readonly request: TaskRequest
  readonly context: TaskContext
  readonly items: readonly LocatedDocument[]
  readonly shots: number
  readonly prompt: 'text' | 'instruction'
  readonly shotsOf: (document: unknown) => readonly unknown[]
  readonly data: EvalResults['data']
}

const sha256 = (value: unknown) => createHash('sha256').update(JSON.stringify(value)).digest('hex')

/** What of a model decides its answers: of files their contents, whatever they are called. */
const identityOf = ({ name, adapter, ...facts }: ModelFacts) => ({
  ...facts,
  name: facts.weights === null ? name : null,
  adapter: adapter && (adapter.sha256 ?? adapter.name),
})

/** A path as it is read from the folder that we are in, where it lies in that. */
function shownPath(path: string): string {
  const from = relative(process.cwd(), path)
  return from === '' || from.startsWith('..') || isAbsolute(from) ? path : from
}

/** Characters of a question that samples keep, to be read by people. */
const shownCharacters = 4000

/** The options of a task as the user has them, checked. */
function contextOf({ task, options }: TaskRequest): TaskContext {
  if (!task.options) {
    if (options === undefined) return { options: {} }
    throw new IftError(
      'IFT_EVAL_OPTION',
      `${task.name} has no options, found ${JSON.stringify(options)}.`,
      'Leave out --options.',
    )
  }
  const parsed = task.options.safeParse(options ?? {})
  if (parsed.success) return { options: parsed.data }
  const faults = parsed.error.issues.map(
    ({ path, message }) => `  - ${path.join('.') || 'options'}: ${message}`,
  )
  throw new IftError(
    'IFT_EVAL_OPTION',
    `The options of ${task.name} are not as it takes them:\n${faults.join('\n')}`,
    'See docs/evaluation.md for the options of each task.',
  )
}

/** Reads the test and the examples of a task, and checks the request. */
export async function prepareTask(request: TaskRequest): Promise<PreparedTask> {
  const { task, data, shotsData, limit = null } = request
  const context = contextOf(request)
  const shots = request.shots ?? task.shots
  if (shots > 0 && !task.shown)
    throw new IftError(
      'IFT_EVAL_OPTION',
      `${task.name} shows no examples before a question, found --shots ${shots}.`,
      'Leave it out.',
    )
  const read = await readDocuments(task, data, context)
  const examples = shots > 0 ? await readDocuments(task, shotsData ?? data, context, 'shots') : null
  const test = new Set(read.files)
  const shared = examples?.files.find((file) => test.has(file))
  if (shared !== undefined)
    throw new IftError(
      'IFT_EVAL_OPTION',
      `${task.name} shows ${shots} examples before each question, and those would be taken of the test itself: ${shared}.`,
      'Name a file for them: --shots-data FILE. Or show none: --shots 0',
    )
  const byGroup = new Map<string | null, unknown[]>()
  for (const { document, group } of examples?.items ?? [])
    byGroup.set(group, [...(byGroup.get(group) ?? []), document])
  const chosen = (group: string | null) => (byGroup.get(group) ?? byGroup.get(null) ?? []).slice(0, shots)
  const items = spread(read.items, limit)
  for (const group of shots > 0 ? new Set(items.map((item) => item.group)) : [])
    if (chosen(group).length < shots)
      throw new IftError(
        'IFT_EVAL_DATA',
        `${task.name} shows ${shots} examples before each question; ${group === null ? 'there are' : `of ${group} there are`} ${chosen(group).length}.`,
        `Show fewer: --shots ${chosen(group).length}`,
      )
  const groups = new Map(read.items.map(({ document, group }) => [document, group]))
  return {
    request,
    context,
    items,
    shots,
    prompt: request.prompt ?? task.prompt,
    shotsOf: (document) => (shots > 0 ? chosen(groups.get(document) ?? null) : []),
    data: {
      files: read.files.map(shownPath),
      shotFiles: (examples?.files ?? []).map(shownPath),
      sha256: sha256([read.sha256, examples?.sha256 ?? null]),
      items: read.items.length,
      asked: items.length,
      limit,
      dropped: read.dropped,
    },
  }
}

/** Evaluates a model on tasks, one after the other. With `output`, what an earlier call has left there is not asked for again. */
export async function evaluate(
  model: EvalModel,
  requests: readonly TaskRequest[],
  options: EvaluateOptions = {},
): Promise<TaskEvaluation[]> {
  const prepared: PreparedTask[] = []
  // What is wrong with any of them is said before the first is asked.
  for (const request of requests) {
    if (request.task.judge && !options.judge && !(request.task.compares && request.against === undefined))
      throw new IftError(
        'IFT_EVAL_JUDGE',
        `${request.task.name} needs a judge, and none is named.`,
        'Name one: --judge-url http://127.0.0.1:8410/v1 --judge-model NAME',
      )
    prepared.push(await prepareTask(request))
  }
  const done: TaskEvaluation[] = []
  for (const task of prepared) done.push(await evaluateTask(model, task, options))
  return done
}

/** Evaluates a model on a task that was prepared. */
export async function evaluateTask(
  model: EvalModel,
  prepared: PreparedTask,
  { output, judge, trainedOn, onProgress, signal }: EvaluateOptions = {},
): Promise<TaskEvaluation> {
  const started = performance.now()
  const { request, context, items, shots, prompt, data } = prepared
  const { task, against } = request
  const dir = output === undefined ? null : join(output, task.name)
  if (dir !== null && against !== undefined && [dir, join(dir, 'samples.jsonl')].includes(resolve(against)))
    throw new IftError(
      'IFT_EVAL_DATA',
      `${against}: expected the results of another run, found the folder of this one.`,
      'Give this run a folder of its own: --output DIR',
    )
  const file = dir === null ? null : await SamplesFile.open(join(dir, 'samples.jsonl'))
  const others = against === undefined ? null : await samplesOf(against)
  const judging = task.judge && judge && (!task.compares || others) ? new Judging(judge, task, context) : null
  const generation = task.generate && {
    ...task.generate,
    maxNewTokens: request.maxNewTokens ?? task.generate.maxNewTokens,
  }
  const common = [
    [task.name, task.version, context.options, prompt, generation ?? null],
    identityOf(model.facts),
  ]
  let resumed = 0
  let count = 0
  const ask = async ({ document, id, group, cluster }: LocatedDocument): Promise<EvalSample> => {
    const asked = promptOf(task, document, context, { shots: prepared.shotsOf(document), prompt })
    // A task that asks for answers too goes without likelihoods where the model has none to tell.
    const scores = typeof asked === 'string' || model.scoresInstructions || !task.generate
    const choices =
      task.choices && scores ? called(task, 'choices', () => task.choices!(document, context)) : []
    const key = sha256([common, asked, choices, document])
    const other = task.compares ? (others?.samples.get(id)?.answer ?? null) : null
    const judgeKey = judging ? sha256([judging.key, other]) : undefined
    const before = file?.found.get(id)
    if (before?.key === key && before.judgeKey === judgeKey && before.error === undefined) {
      resumed++
      return before
    }
    const head = {
      ...{ id, key, group, cluster },
      question: promptText(task.render(document, context)).slice(0, shownCharacters),
      prompt: sha256(asked),
      ...(judgeKey !== undefined && { judgeKey }),
      ...(other !== null && { other: other.slice(0, mostJudgedCharacters) }),
    }
    const sample = await answerItem({ head, asked, choices, document, other })
    file?.append(sample)
    return sample
  }
  const answerItem = async ({
    head,
    asked,
    choices,
    document,
    other,
  }: {
    readonly head: Omit<EvalSample, 'promptTokens' | 'scores'>
    readonly asked: ReturnType<typeof promptOf>
    readonly choices: readonly string[]
    readonly document: unknown
    readonly other: string | null
  }): Promise<EvalSample> => {
    try {
      const scored = choices.length > 0 ? await model.likelihoods(asked, choices, signal) : null
      const answer = generation ? await model.answer(asked, generation, signal) : null
      const example = task.loss && called(task, 'loss', () => task.loss!(document, context))
      const loss = example ? await model.loss(example, signal) : null
      const text = answer?.text ?? ''
      const extracted = answer
        ? task.extract
          ? called(task, 'extract', () => task.extract!(text, document, context))
          : text
        : null
      const judged = judging ? await judging.scores(document, text, other, signal) : null
      const outcome = {
        likelihoods: scored?.likelihoods ?? [],
        answer: text,
        extracted,
        ended: answer !== null && answer.ended !== 'length',
        loss,
        judged: judged?.map(({ score }) => score) ?? [],
        other,
      }
      const cut = Math.max(scored?.cut ?? 0, answer?.cut ?? 0)
      return {
        ...head,
        promptTokens: scored?.promptTokens ?? answer?.promptTokens ?? 0,
        ...(scored && { likelihoods: scored.likelihoods }),
        ...(answer && { answer: text, extracted, ended: answer.ended, tokens: answer.tokens }),
        ...(cut > 0 && { cut }),
        ...(loss && { loss }),
        ...(judged && { judged }),
        scores: checkedScores(
          task,
          called(task, 'score', () => task.score(document, outcome, context)),
        ),
      }
    } catch (error) {
      // A prompt that cannot be asked is one of the others' matter only in the count.
      if (!(error instanceof IftError) || !refusals.has(error.code)) throw error
      return { ...head, promptTokens: 0, scores: {}, error: { code: error.code, message: error.message } }
    }
  }
  const samples = new Array<EvalSample>(items.length)
  const stop = new AbortController()
  const ended = AbortSignal.any([stop.signal, ...(signal ? [signal] : [])])
  let next = 0
  const work = async () => {
    while (next < items.length) {
      ended.throwIfAborted()
      const index = next++
      samples[index] = await ask(items[index]!)
      onProgress?.(task.name, ++count, items.length)
    }
  }
  // More than are answered at a time: some wait for a judge, and prompts are read while others are answered.
  const workers = Array.from({ length: Math.min(2 * model.concurrency, items.length) }, () =>
    work().catch((error: unknown) => {
      stop.abort(error)
      throw error
    }),
  )
  await Promise.allSettled(workers)
  await Promise.all(workers)

  const checks = judging
    ? await judging.checks(
        items.map(({ document }, i) => ({ document, sample: samples[i]! })),
        signal,
      )
    : {}
  const answers = samples.filter(({ answer }) => answer !== undefined)
  const endedOnes = answers.filter((sample) => sample.ended !== 'length').length
  const overlap =
    trainedOn && (await trainedOn(items.map(({ document }) => promptText(task.render(document, context)))))
  const contamination: ContaminationResult | null = overlap
    ? {
        words: overlap.words,
        characters: overlap.characters,
        rows: overlap.rows,
        share: overlap.found.length / items.length,
        items: overlap.found.map(({ index, kind, where, text }) => ({
          ...{ id: items[index]!.id, kind, where },
          text: text.slice(0, 200),
        })),
      }
    : null
  const { name, version: taskVersion, description, source, licence, main } = task
  const results: EvalResults = {
    format: 1,
    task: {
      ...{ name, version: taskVersion, description, source, licence, main },
      ...{ options: context.options, prompt, shots },
    },
    ift: version,
    finished: new Date().toISOString(),
    seconds: (performance.now() - started) / 1000,
    model: model.facts,
    data,
    ...summarise(task, samples),
    answers:
      answers.length === 0
        ? null
        : {
            count: answers.length,
            ended: endedOnes,
            share: endedOnes / answers.length,
            tokens: answers.reduce((sum, { tokens = 0 }) => sum + tokens, 0),
          },
    refused: samples.filter(({ error }) => error !== undefined).length,
    cut: samples.filter(({ cut = 0 }) => cut > 0).length,
    resumed,
    judge: judging?.facts(samples, checks) ?? null,
    against: !others ? null : task.compares ? { path: others.path } : compareRuns(task, samples, others),
    contamination,
  }
  if (file && dir !== null) {
    await file.finish(samples)
    await writeFileAtomic(join(dir, 'results.json'), `${JSON.stringify(results, null, 2)}\n`)
  }
  return { results, samples, dir }
}

/** What a prompt may be refused for, which ends no others. */
const refusals: ReadonlySet<string> = new Set([
  'IFT_SEQUENCE_TOO_LONG',
  'IFT_GENERATE_ROOM',
  'IFT_GENERATE_EMPTY',
  'IFT_TEMPLATE_FAILED',
])

import { isDeepStrictEqual } from 'node:util'
import { IftError } from '@ift/tensor'
import type { TaskContext, TaskDefinition, TaskOutcome, TaskRecord } from '../contract/task.js'
import { plainJson } from '../data/exact-json.js'
import { readRecords } from '../data/read/index.js'
import type { IftPlugin } from '../plugin/define.js'
import { PluginSession } from '../plugin/plugin-session.js'
import { claim } from './claim.js'
import type { ConformanceCase } from './dataset.js'

export interface TaskConformanceOptions {
  /** A file or folder with some records of the test. */
  readonly data: string
  /** Options that have no default. */
  readonly options?: Readonly<Record<string, unknown>>
}

/** The tasks that a plugin registers. */
export function tasksOf(plugin: IftPlugin): TaskDefinition[] {
  const { task } = new PluginSession(process.cwd()).use(plugin).hooks
  return task.names().map((name) => task.find(name)!)
}

/** Answers that a model may give, and nobody wants. */
const answers = [
  '',
  ' ',
  'A',
  '42',
  '#### 42',
  '答案是 Ｂ。',
  '\u0000\ufffd\ud800',
  '{"a": [1, 2',
  'x'.repeat(100_000),
  '答案：'.repeat(1000),
  `${'9'.repeat(5000)}.`,
]

/** Values in the place of those of a record. */
const strange = [null, '', 0, -1.5, true, [], {}, [null], { a: { b: 1 } }, 'x'.repeat(10_000), '\u0000']

/**
 * What every task must keep, as cases to run: `for (const { name, run } of taskConformance(…)) test(name, run)`. No model is needed.
 */
export function taskConformance(
  task: TaskDefinition,
  { data, options = {} }: TaskConformanceOptions,
): ConformanceCase[] {
  const context = (): TaskContext => {
    if (!task.options) return { options: {} }
    const parsed = task.options.safeParse(options)
    claim(parsed.success, `the options ${JSON.stringify(options)} are refused: ${parsed.error?.message}`)
    return { options: parsed.data as unknown }
  }
  const records = async (): Promise<TaskRecord[]> => {
    const found: TaskRecord[] = []
    const header = task.files?.header
    for await (const { record, where } of readRecords(data, {
      isExample: () => true,
      ...(header && { header }),
    }))
      found.push({
        record: plainJson(record) as TaskRecord['record'],
        where,
        file: where.replace(/^.*[\\/]|(\.\w+)*[:#]\d+$/g, ''),
      })
    claim(found.length > 0, `${data} has no record.`)
    return found
  }
  const documents = async (): Promise<unknown[]> => {
    const found: unknown[] = []
    for (const record of await records()) {
      const read = task.read(record, context()) as unknown
      claim(
        Array.isArray(read) || typeof read === 'string',
        `${record.where}: read gave neither a list nor a reason.`,
      )
      if (Array.isArray(read)) found.push(...(read as unknown[]))
    }
    claim(found.length > 0, 'no record gives a document.')
    return found
  }
  const outcomeOf = (document: unknown, answer: string): TaskOutcome => {
    const choices = task.choices?.(document, context()) ?? []
    return {
      likelihoods: choices.map((text, i) => ({ logprob: -1 - i, tokens: Math.max(1, text.length) })),
      answer: task.generate ? answer : '',
      extracted: task.generate ? (task.extract ? task.extract(answer, document, context()) : answer) : null,
      ended: true,
      loss: task.loss ? { sum: 12, tokens: 4 } : null,
      judged: (
        task.judge?.prompts(document, { answer, other: task.compares ? answer : null }, context()) ?? []
      ).map((_, i) => (i % 2 ? null : 0.5)),
      other: task.compares ? answer : null,
    }
  }
  const named = (name: string, run: () => Promise<void> | void): ConformanceCase => ({
    name: `${task.name}: ${name}`,
    run: async () => {
      await run()
    },
  })
  const total = (what: string, run: () => unknown) => {
    try {
      return run()
    } catch (cause) {
      throw new IftError(
        'IFT_CONFORMANCE',
        `${what} threw: ${cause instanceof Error ? cause.message : String(cause)}`,
        undefined,
        { cause },
      )
    }
  }

  return [
    named('it says what it is, what it asks for and what it measures', () => {
      claim(/^[a-z][a-z0-9-]*$/.test(task.name), `"${task.name}" is no name: a–z, 0–9 and hyphens.`)
      for (const field of ['version', 'description'] as const)
        claim(task[field].trim() !== '', `${field} is empty.`)
      claim(
        task.choices !== undefined || task.generate !== undefined || task.loss !== undefined,
        'it asks for nothing: choices, generate or loss.',
      )
      claim(task.main in task.metrics, `main is "${task.main}", which is none of its metrics.`)
      for (const [name, metric] of Object.entries(task.metrics))
        claim(
          metric.kind !== 'corpus' || Boolean(metric.of),
          `${name} is of a corpus and has no function \`of\`.`,
        )
      claim(task.shots === 0 || task.shown !== undefined, 'it shows examples, and has no function `shown`.')
      claim(!task.compares || task.judge !== undefined, 'it compares answers, and has no judge.')
      context()
    }),
    named('documents are plain JSON, and the same each time', async () => {
      const [first, second] = [await documents(), await documents()]
      for (const [i, document] of first.entries()) {
        claim(
          isDeepStrictEqual(JSON.parse(JSON.stringify(document)), document),
          `document ${i + 1} is more than JSON: ${JSON.stringify(document).slice(0, 200)}`,
        )
        claim(
          isDeepStrictEqual(document, second[i]),
          `document ${i + 1} is another one when it is read again.`,
        )
      }
    }),
    named('every document asks something, the same each time', async () => {
      for (const [i, document] of (await documents()).entries()) {
        const asked = task.render(document, context())
        const text = typeof asked === 'string' ? asked : JSON.stringify(asked)
        claim(text.trim() !== '' || task.loss !== undefined, `document ${i + 1}: the prompt is empty.`)
        claim(
          isDeepStrictEqual(asked, task.render(document, context())),
          `document ${i + 1}: two prompts differ.`,
        )
        if (!task.shown) continue
        const shown = task.shown(document, context())
        claim(
          typeof asked === 'string' && shown.startsWith(asked) && shown.length > asked.length,
          `document ${i + 1}: an example that is shown is the question with its answer behind it.`,
        )
      }
    }),
    named('any answer has scores of the metrics that it names', async () => {
      for (const document of (await documents()).slice(0, 20))
        for (const answer of answers) {
          const shown = JSON.stringify(answer.slice(0, 40))
          const scores = total(`an answer ${shown}`, () =>
            task.score(document, outcomeOf(document, answer), context()),
          ) as ReturnType<TaskDefinition['score']>
          for (const [name, score] of Object.entries(scores)) {
            const metric = task.metrics[name]
            claim(
              metric !== undefined,
              `an answer ${shown} has a score "${name}", which is none of its metrics.`,
            )
            const numbers = score === null ? [] : typeof score === 'number' ? [score] : score
            claim(
              numbers.every(Number.isFinite) &&
                (score === null || (metric.kind === 'corpus') === (typeof score !== 'number')) &&
                (metric.kind !== 'share' || score === null || score === 0 || score === 1),
              `an answer ${shown} has the score ${JSON.stringify(score)} for ${name}, a ${metric.kind}.`,
            )
          }
          const missing = Object.keys(task.metrics).find((name) => !(name in scores))
          claim(
            missing === undefined,
            `an answer ${shown} has no score for ${missing}; null says that it does not count.`,
          )
        }
    }),
    named('a record with anything in it gives documents or a reason', async () => {
      for (const record of await records())
        for (const field of Object.keys(record.record))
          for (const value of strange) {
            const changed = { ...record, record: { ...record.record, [field]: value } }
            const read = total(`${field}: ${JSON.stringify(value).slice(0, 40)}`, () =>
              task.read(changed, context()),
            ) as readonly unknown[] | string
            claim(
              typeof read !== 'string' || (read !== '' && read.length < 200),
              `${field}: ${JSON.stringify(value)}: the reason is "${String(read)}".`,
            )
            if (typeof read === 'string') continue
            for (const document of read)
              total(`${field}: ${JSON.stringify(value).slice(0, 40)}`, () => task.render(document, context()))
          }
      const nothing = task.read({ record: {}, where: 'x:1', file: 'x' }, context())
      claim(typeof nothing === 'string', 'an empty record gives a document; a reason is expected.')
    }),
    ...(task.judge
      ? [
          named('a judge is shown the answer, and any reply is read', async () => {
            const { prompts, parse, again } = task.judge!
            claim(again.trim() !== '', 'a judge without a score is told nothing: `again` is empty.')
            const [document] = await documents()
            const other = task.compares ? 'another answer' : null
            const asked = prompts(document, { answer: 'the answer of the model', other }, context())
            claim(asked.length > 0, 'a judge is asked nothing.')
            for (const text of asked)
              for (const part of ['the answer of the model', ...(other === null ? [] : [other])])
                claim(text.includes(part), 'a judge is not shown an answer.')
            for (const reply of answers) {
              const score = total(`a reply ${JSON.stringify(reply.slice(0, 40))}`, () => parse(reply))
              claim(
                score === null || (typeof score === 'number' && Number.isFinite(score)),
                `a reply gives ${String(score)}.`,
              )
            }
            claim(parse('') === null, 'an empty reply has a score.')
          }),
        ]
      : []),
  ]
}

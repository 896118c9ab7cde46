import {
  formatNames,
  Ift,
  IftError,
  isInstruction,
  isMessages,
  isText,
  readExamples,
  verb,
  withoutAnswer,
  type OpenModel,
  type Prompt,
  localPath,
} from '@ift/core'
import { adapterNamed, useAdapter, useOption } from '../ui/use-adapter.js'
import { AnswerFile, refusal } from './answer-file.js'

export const predict = verb({
  name: 'predict',
  description: 'Answer every record of a file; one JSON line each, in the order of the input.',
  example:
    'npx ift predict --weights ./llama --adapter ./run/adapter --input test.jsonl --output answers.jsonl',
  config: ['weights', 'adapter', 'template', 'device', 'dtype', 'quantize', 'deterministic', 'generate'],
  options: {
    input: {
      type: 'string',
      value: 'file',
      required: true,
      description: 'records in any form that data: takes',
    },
    output: { type: 'string', short: 'o', value: 'file', required: true, description: 'JSONL file to write' },
    format: {
      type: 'choice',
      value: 'form',
      choices: formatNames,
      description: 'form of the records, when it is not to be found out',
    },
    batch: { type: 'integer', min: 1, max: 65_536, default: 16, description: 'sequences at once' },
    use: useOption,
    overwrite: { type: 'boolean', description: 'replace the output file' },
  },
  run({ terminal, session, options, cwd, untilInterrupted }) {
    return Ift.using(session, async (ift) => {
      const input = localPath(cwd, options.input)
      const output = localPath(cwd, options.output)
      const answers = await AnswerFile.plan(output, input, options.overwrite)
      const { format } = options
      const source = { unanswered: true, ...(format !== undefined && { format }) }
      const open = await ift.openModel()
      useAdapter(open, options.use)
      const generator = await ift.createGenerator(open, {
        maxSequences: options.batch,
        // Nobody reads along: prompts take all places of a step.
        promptTokensPerStep: Number.MAX_SAFE_INTEGER,
      })
      const records: { prompt: Prompt; record: object; where: string }[] = []
      for await (const { example, where, record = example } of readExamples(input, source)) {
        if (isInstruction(example) || isMessages(example))
          records.push({ prompt: withoutAnswer(example), record, where })
        else if (isText(example)) records.push({ prompt: example.text, record, where })
        else throw new IftError('IFT_DATA_RECORD', `${where}: token ids cannot be answered.`, 'Give text.')
      }
      // Answers end in any order; a line is written when all before it are.
      const done = new Map<number, object>()
      let next = 0
      let refused = 0
      const put = (index: number, more: object) => {
        done.set(index, { ...records[index]!.record, ...more })
        for (let line = done.get(next); line !== undefined; line = done.get(next)) {
          answers.write(line)
          done.delete(next++)
        }
        if (terminal.interactive) terminal.redraw(`${next}/${records.length}`)
      }
      try {
        await untilInterrupted('Stopping; the answers so far are kept.', (signal) =>
          generator.generateAll(
            records.map(({ prompt }) => prompt),
            records.map(({ record, where }) => ({
              ...ift.config.generate,
              adapter: adapterOf(open, record, where),
            })),
            {
              signal,
              onDone({ text, finish }, index) {
                put(index, { generate: text, finish })
              },
              onRefused(error, index) {
                refused++
                put(index, refusal(records[index]!.where, error))
              },
            },
          ),
        )
        answers.finish()
      } catch (error) {
        answers.close()
        if (answers.lines > 0) terminal.note(`${answers.lines} answers so far are in ${answers.partial}`)
        throw error
      }
      terminal.note(`${records.length - refused} answers in ${output}`)
      if (refused > 0) terminal.note(`${refused} records could not be answered; their lines say why: error`)
      if (refused === records.length && refused > 0) return 1
      return 0
    })
  },
})

/** The adapter that a record names; undefined where it names none, or the model has not several. */
function adapterOf(open: OpenModel, record: object, where: string): string | null | undefined {
  const { adapter } = record as { readonly adapter?: unknown }
  if (open.adapters === null || adapter === undefined || adapter === null) return undefined
  if (typeof adapter !== 'string')
    throw new IftError(
      'IFT_DATA_RECORD',
      `${where}: adapter expected the name of one, found ${JSON.stringify(adapter)}.`,
      `There are: ${open.adapters.names.join(', ')}`,
    )
  try {
    return adapterNamed(open, adapter)
  } catch (error) {
    if (!(error instanceof IftError)) throw error
    throw new IftError(error.code, `${where}: ${error.message}`, error.hint)
  }
}

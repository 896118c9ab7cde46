import { resolve } from 'node:path'
import {
  formatNames,
  IftError,
  isInstruction,
  isMessages,
  isText,
  readExamples,
  withoutAnswer,
  type FormatName,
  type Prompt,
} from '@ift/core'
import { AnswerFile, refusal } from './answer-file.js'
import type { Command } from './command.js'
import { withInterrupt, withSession } from './command.js'

export const predict: Command = {
  name: 'predict',
  description: 'Answer every record of a file; one JSON line each, in the order of the input.',
  example:
    'npx ift predict --weights ./llama --adapter ./run/adapter --input test.jsonl --output answers.jsonl',
  define(verb) {
    verb
      .requiredOption('--input <file>', 'records in any form that data: takes')
      .requiredOption('-o, --output <file>', 'JSONL file to write')
      .option(
        '--format <form>',
        `form of the records, when it is not to be found out: ${formatNames.join(', ')}`,
      )
      .option('--batch <n>', 'sequences at once', '16')
      .option('--overwrite', 'replace the output file')
  },
  run(context) {
    const { terminal, options, cwd } = context
    return withSession(context, async (ift) => {
      const input = resolve(cwd, options['input'] as string)
      const output = resolve(cwd, options['output'] as string)
      const answers = await AnswerFile.plan(output, input, options['overwrite'] === true)
      const format = options['format'] as FormatName | undefined
      const source = { unanswered: true, ...(format !== undefined && { format }) }
      const generator = await ift.createGenerator()
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
        await withInterrupt(terminal, 'Stopping; the answers so far are kept.', (signal) =>
          generator.generateAll(
            records.map(({ prompt }) => prompt),
            ift.config.generate,
            Number(options['batch']),
            ({ text, finish }, index) => {
              put(index, { generate: text, finish })
            },
            signal,
            (error, index) => {
              refused++
              put(index, refusal(records[index]!.where, error))
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
}

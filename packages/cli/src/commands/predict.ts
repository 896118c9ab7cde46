import { appendFileSync, existsSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import {
  exactJson,
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
      if (existsSync(output) && !options['overwrite'])
        throw new IftError(
          'IFT_USAGE',
          `${output} exists.`,
          'Replace it with --overwrite, or name another file.',
        )
      const format = options['format'] as FormatName | undefined
      const source = { unanswered: true, ...(format !== undefined && { format }) }
      const generator = await ift.createGenerator()
      const records: { prompt: Prompt; record: object }[] = []
      for await (const { example, where, record = example } of readExamples(input, source)) {
        if (isInstruction(example) || isMessages(example))
          records.push({ prompt: withoutAnswer(example), record })
        else if (isText(example)) records.push({ prompt: example.text, record })
        else throw new IftError('IFT_DATA_RECORD', `${where}: token ids cannot be answered.`, 'Give text.')
      }
      writeFileSync(output, '')
      // Answers end in any order; a line is written when all before it are.
      const done = new Map<number, string>()
      let next = 0
      await withInterrupt(terminal, 'Stopping; the answers so far are kept.', (signal) =>
        generator.generateAll(
          records.map(({ prompt }) => prompt),
          ift.config.generate,
          Number(options['batch']),
          ({ text, finish }, index) => {
            done.set(index, `${exactJson({ ...records[index]!.record, generate: text, finish })}\n`)
            for (let line = done.get(next); line !== undefined; line = done.get(next)) {
              appendFileSync(output, line)
              done.delete(next++)
            }
            if (terminal.interactive) terminal.redraw(`${next}/${records.length}`)
          },
          signal,
        ),
      )
      terminal.note(`${records.length} answers in ${output}`)
      return 0
    })
  },
}

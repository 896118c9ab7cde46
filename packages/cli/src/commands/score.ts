import { createReadStream, existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { IftError } from '@ift/core'
import type { Command } from './command.js'
import { withSession } from './command.js'

export const score: Command = {
  name: 'score',
  description:
    'Log-probabilities of texts: {"text": …} or {"ids": […]} a line in, {"ids", "logprobs"} a line out.',
  example: 'npx ift score --weights ./llama --input texts.jsonl --output scores.jsonl',
  define(verb) {
    verb
      .requiredOption('--input <file>', 'JSONL with text or ids')
      .requiredOption('-o, --output <file>', 'JSONL file to write')
      .option('--overwrite', 'replace the output file')
  },
  run(context) {
    const { options, cwd, terminal } = context
    return withSession(context, async (ift) => {
      const input = resolve(cwd, options['input'] as string)
      const output = resolve(cwd, options['output'] as string)
      if (!existsSync(input)) throw new IftError('IFT_SOURCE_NOT_FOUND', `There is no file ${input}.`)
      if (existsSync(output) && !options['overwrite'])
        throw new IftError(
          'IFT_USAGE',
          `${output} exists.`,
          'Replace it with --overwrite, or name another file.',
        )
      const generator = await ift.createGenerator()
      const out: string[] = []
      let line = 0
      for await (const text of createInterface({ input: createReadStream(input), crlfDelay: Infinity })) {
        line++
        if (!text.trim()) continue
        const ids = await idsOf(text, `${input}:${line}`, (prompt) => generator.encodeText(prompt))
        out.push(JSON.stringify({ ids: [...ids], logprobs: await generator.score(ids) }))
      }
      await writeFile(output, out.map((record) => `${record}\n`).join(''))
      terminal.note(`${out.length} lines in ${output}`)
      return 0
    })
  },
}

async function idsOf(
  line: string,
  where: string,
  encode: (text: string) => Promise<Int32Array>,
): Promise<Int32Array> {
  let record: { text?: unknown; ids?: unknown }
  try {
    record = JSON.parse(line) as typeof record
  } catch (cause) {
    throw new IftError('IFT_DATA_SYNTAX', `${where} is not JSON: ${line.slice(0, 80)}`, undefined, { cause })
  }
  if (typeof record.text === 'string') return encode(record.text)
  if (Array.isArray(record.ids) && record.ids.every((id) => Number.isInteger(id)))
    return Int32Array.from(record.ids as number[])
  throw new IftError(
    'IFT_DATA_RECORD',
    `${where}: expected {"text": …} or {"ids": […]}, found ${line.slice(0, 80)}`,
  )
}

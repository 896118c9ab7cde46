import { existsSync } from 'node:fs'
import { decodeUtf8, Ift, IftError, localPath, parseExactJson, readLines, verb } from '@ift/core'
import { AnswerFile, refusal } from './answer-file.js'

/** Texts that are scored at a time. */
const together = 64

export const score = verb({
  name: 'score',
  description:
    'Log-probabilities of texts: {"text": …} or {"ids": […]} a line in, {"ids", "logprobs"} a line out.',
  example: 'npx ift score --weights ./llama --input texts.jsonl --output scores.jsonl',
  config: ['weights', 'adapter', 'template', 'device', 'dtype', 'quantize', 'deterministic'],
  options: {
    input: { type: 'string', value: 'file', required: true, description: 'JSONL with text or ids' },
    output: { type: 'string', short: 'o', value: 'file', required: true, description: 'JSONL file to write' },
    overwrite: { type: 'boolean', description: 'replace the output file' },
  },
  run({ terminal, session, options, cwd, untilInterrupted }) {
    return Ift.using(session, async (ift) => {
      const input = localPath(cwd, options.input)
      const output = localPath(cwd, options.output)
      if (!existsSync(input)) throw new IftError('IFT_SOURCE_NOT_FOUND', `There is no file ${input}.`)
      const scores = await AnswerFile.plan(output, input, options.overwrite)
      const texts: { readonly text: string | Int32Array; readonly where: string }[] = []
      for await (const { bytes, line } of readLines(input)) {
        const where = `${input}:${line}`
        texts.push({ text: textOf(decodeUtf8(bytes, where).trim(), where), where })
      }
      const generator = await ift.createGenerator()
      let refused = 0
      const score = async ({ text, where }: (typeof texts)[number], signal: AbortSignal) => {
        const ids = typeof text === 'string' ? await generator.encodeText(text) : text
        try {
          return { ids: [...ids], logprobs: await generator.score(ids, { signal }) }
        } catch (error) {
          if (!(error instanceof IftError) || error.code !== 'IFT_SEQUENCE_TOO_LONG') throw error
          refused++
          return { ids: [...ids], ...refusal(where, error) }
        }
      }
      try {
        await untilInterrupted('Stopping; the lines so far are kept.', async (signal) => {
          for (let at = 0; at < texts.length; at += together) {
            const some = texts.slice(at, at + together).map((text) => score(text, signal))
            // All of them are waited for, also where one has failed.
            await Promise.allSettled(some)
            for (const line of some) scores.write(await line)
            signal.throwIfAborted()
          }
        })
        scores.finish()
      } catch (error) {
        scores.close()
        if (scores.lines > 0) terminal.note(`${scores.lines} lines so far are in ${scores.partial}`)
        throw error
      }
      terminal.note(`${scores.lines} lines in ${output}`)
      if (refused > 0) terminal.note(`${refused} texts could not be scored; their lines say why: error`)
      return refused > 0 && refused === texts.length ? 1 : 0
    })
  },
})

/** A text, or ids as they are. */
function textOf(line: string, where: string): string | Int32Array {
  let record: { text?: unknown; ids?: unknown } | null
  try {
    record = parseExactJson(line) as typeof record
  } catch (cause) {
    throw new IftError('IFT_DATA_SYNTAX', `${where} is not JSON: ${line.slice(0, 80)}`, undefined, { cause })
  }
  if (typeof record?.text === 'string') return record.text
  if (Array.isArray(record?.ids) && record.ids.every((id) => Number.isInteger(id)))
    return Int32Array.from(record.ids as number[])
  throw new IftError(
    'IFT_DATA_RECORD',
    `${where}: expected {"text": …} or {"ids": […]}, found ${line.slice(0, 80)}`,
  )
}

import { resolve } from 'node:path'
import {
  convertData,
  convertTargets,
  dataFiles,
  DataStats,
  formatNames,
  Ift,
  IftError,
  readExamples,
  refuseInputs,
  validateData,
  verb,
  type FormatName,
  type VerbContext,
} from '@ift/core'
import { listDatasets } from './list-datasets.js'

const example = 'npx ift data stats mine.jsonl'

export const data = verb({
  name: 'data',
  description: 'Look at data: list (datasets known here), stats, validate, convert.',
  example,
  operands: {
    action: {
      description: 'what to do',
      required: true,
      choices: ['list', 'stats', 'validate', 'convert'],
    },
    file: { description: 'data file or folder' },
  },
  options: {
    to: {
      type: 'choice',
      value: 'form',
      choices: convertTargets,
      default: 'alpaca',
      description: 'form to convert to',
    },
    format: {
      type: 'choice',
      value: 'form',
      choices: formatNames,
      description: 'form of the records, when it is not to be found out',
    },
    output: { type: 'string', short: 'o', value: 'file', description: 'file to write' },
    json: { type: 'boolean', description: 'print as JSON' },
  },
  async run({ terminal, session, options: { to, format, output, json }, operands: { action, file }, cwd }) {
    if (action === 'list')
      return Ift.using(session, (ift) => Promise.resolve(listDatasets(ift, terminal, json)))
    if (file === undefined) throw new IftError('IFT_USAGE', `data ${action} needs a file.`, example)
    const path = resolve(cwd, file)
    const source = format === undefined ? {} : { format }
    if (action === 'stats') {
      const stats = new DataStats()
      for await (const { example } of readExamples(path, source)) stats.add(example)
      terminal.json(stats.report())
      return 0
    }
    if (action === 'validate') return validate(path, source, terminal, json)
    if (output === undefined)
      throw new IftError('IFT_USAGE', 'data convert needs --output.', `${example} --output out.jsonl`)
    const inputs = (await dataFiles(path)).map((file) => ({ what: 'the input', path: file }))
    await refuseInputs(resolve(cwd, output), inputs)
    const written = await convertData(readExamples(path, source), to, resolve(cwd, output))
    terminal.note(`${written} records in ${resolve(cwd, output)}`)
    return 0
  },
})

async function validate(
  path: string,
  source: { readonly format?: FormatName },
  terminal: VerbContext['terminal'],
  json: boolean,
): Promise<number> {
  const report = await validateData(path, source)
  if (json) terminal.json(report)
  else {
    for (const { where, message } of report.problems) terminal.out(`${where}: ${message}\n`)
    terminal.note(`${report.examples} good examples, ${report.problems.length} problems`)
  }
  return report.problems.length ? 1 : 0
}

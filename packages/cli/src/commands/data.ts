import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import {
  convertData,
  convertTargets,
  diskFiles,
  DataStats,
  formatNames,
  Ift,
  IftError,
  localPath,
  readExamples,
  tokenStats,
  refuseInputs,
  validateData,
  verb,
  type RecordSource,
  type SessionRequest,
  type VerbContext,
} from '@ift/core'
import { auditData, auditFaults } from './audit-data.js'
import { recordRows, sampleRows } from '../ui/data-view.js'
import { chartData } from './chart-data.js'
import { fetchData } from './fetch-data.js'
import { listDatasets } from './list-datasets.js'
import { showDataset } from './show-dataset.js'

const example = 'npx ift data stats mine.jsonl'

export const data = verb({
  name: 'data',
  description:
    'Look at data: list (datasets, chosen by tags), show, fetch, chart (sizes), stats, validate, audit (what repeats), convert.',
  example,
  config: ['weights', 'data', 'template', 'maxLength', 'truncation', 'dedup', 'decontaminate', 'validation'],
  operands: {
    action: {
      description: 'what to do',
      required: true,
      choices: ['list', 'show', 'fetch', 'chart', 'stats', 'validate', 'audit', 'convert'],
    },
    file: {
      description:
        'data file or folder; for stats, validate and audit the data of the config when absent; for list and chart a selection: lang:cn; for show the name of a dataset; for fetch names or a selection, the data of the config when absent',
    },
    more: {
      description:
        'further data, for audit; further names, for fetch; further terms, for list, chart and fetch: -licence:nc; the folder of its files, for show',
      several: true,
      denies: true,
    },
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
    output: {
      type: 'string',
      short: 'o',
      value: 'file',
      description: 'file to write; for chart an SVG; for audit one line of JSON for each record found',
    },
    failOn: {
      type: 'choice',
      value: 'kind',
      choices: auditFaults,
      description: 'for audit: exit code 1 when there is one',
    },
    by: {
      type: 'choice',
      value: 'unit',
      choices: ['rows', 'tokens'],
      default: 'rows',
      description: 'what a chart shows',
    },
    mirror: {
      type: 'string',
      value: 'address',
      description: 'for fetch: a mirror of the hub, https://…, in place of HF_ENDPOINT',
    },
    yes: { type: 'boolean', short: 'y', description: 'for fetch: ask nothing' },
    json: { type: 'boolean', description: 'print as JSON' },
  },
  async run({ terminal, session, options, operands: { action, file, more = [] }, cwd, untilInterrupted }) {
    const { to, format, output, json, failOn, mirror, yes, by } = options
    if (format !== undefined && file === undefined)
      throw new IftError(
        'IFT_USAGE',
        `data ${action} --format: expected a file beside it; the entries of data in the config say their form.`,
        ['list', 'show', 'fetch', 'chart'].includes(action)
          ? 'npx ift data list'
          : `npx ift data stats mine.jsonl --format ${format}`,
      )
    if (action === 'audit')
      return auditData(session, terminal, {
        ...{ cwd, json, output, failOn, format },
        data: file === undefined ? [] : [file, ...more],
      })
    const query = [file ?? [], more].flat().join(' ')
    if (action === 'chart') return chartData(session, terminal, { cwd, query, by, output, json })
    if (action === 'list') {
      return Ift.using(session, (ift) => Promise.resolve(listDatasets(ift, terminal, { query, json })))
    }
    if (action === 'fetch') {
      const words = [file ?? [], more].flat()
      const ask = process.stdin.isTTY && terminal.interactive ? askAt(terminal) : null
      return Ift.using(session, (ift) =>
        fetchData(ift, terminal, { words, mirror, yes, json, ask, untilInterrupted }),
      )
    }
    if (action === 'show') {
      if (file === undefined || more.length > 1)
        throw new IftError(
          'IFT_USAGE',
          'data show takes the name of a dataset, and the folder of its files.',
          'npx ift data show dolly ./dolly',
        )
      const [folder] = more
      const place = folder === undefined ? undefined : localPath(cwd, folder)
      // What is not there may be a hub id, and is an error of whoever looks for it.
      const path = place !== undefined && existsSync(place) ? place : folder
      return Ift.using(session, (ift) => showDataset(ift, terminal, { name: file, path, json }))
    }
    if (more.length > 0)
      throw new IftError('IFT_USAGE', `data ${action} takes one file, found ${more.length + 1}.`, example)
    if (file === undefined && action === 'stats') return configStats(session, terminal, json)
    if (file === undefined && action === 'validate') return validateConfig(session, terminal, json)
    if (file === undefined) throw new IftError('IFT_USAGE', `data ${action} needs a file.`, example)
    const path = localPath(cwd, file)
    const source = format === undefined ? {} : { format }
    if (action === 'stats') {
      const stats = new DataStats()
      for await (const { example } of readExamples(path, source)) stats.add(example)
      const report = stats.report()
      if (json) terminal.json(report)
      else terminal.table(recordRows(report))
      return 0
    }
    if (action === 'validate') return validate(path, source, terminal, json)
    if (output === undefined)
      throw new IftError('IFT_USAGE', 'data convert needs --output.', `${example} --output out.jsonl`)
    const inputs = (await diskFiles(path)).map((file) => ({ what: 'the input', path: file }))
    await refuseInputs(localPath(cwd, output), inputs)
    const written = await convertData(readExamples(path, source), to, localPath(cwd, output))
    terminal.note(`${written} records in ${localPath(cwd, output)}`)
    return 0
  },
})

/** Asks on the terminal; input that ends answers nothing. */
const askAt =
  ({ stderr }: VerbContext['terminal']) =>
  async (question: string) => {
    const lines = createInterface({ input: process.stdin, output: stderr })
    const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')))
    try {
      return await Promise.race([lines.question(question), ended])
    } finally {
      lines.close()
    }
  }

/** What became of the data of the config: samples, tokens, and what was dropped or cut and why. */
const configStats = (session: SessionRequest, terminal: VerbContext['terminal'], json: boolean) =>
  Ift.using(session, async (ift) => {
    const { data } = await ift.openData()
    const { maxLength } = ift.config
    if (json)
      terminal.json({
        sequences: data.train.size(0),
        heldOut: data.validation?.size(0) ?? 0,
        duplicates: data.duplicates,
        mixture: data.mixture,
        examination: data.examination,
        limit: data.limit,
        datasets: data.datasets.map(({ name, store, leftOut, dropped }) => ({
          name,
          leftOut,
          withoutExample: dropped,
          ...(store && tokenStats(store)),
        })),
      })
    else terminal.table(sampleRows(data, maxLength))
    for (const note of data.notes) terminal.note(note)
    return 0
  })

/** Validates every file that the config names. */
const validateConfig = (session: SessionRequest, terminal: VerbContext['terminal'], json: boolean) =>
  Ift.using(session, async (ift) => {
    const sources = await ift.recordSources()
    if (!sources.length)
      throw new IftError('IFT_USAGE', 'The config names no file of records.', 'npx ift data validate FILE')
    let worst = 0
    for (const { path, options } of sources) {
      if (sources.length > 1) terminal.note(path)
      worst = Math.max(worst, await validate(path, options, terminal, json))
    }
    return worst
  })

async function validate(
  path: string,
  source: RecordSource['options'],
  terminal: VerbContext['terminal'],
  json: boolean,
): Promise<number> {
  const report = await validateData(path, source)
  if (json) terminal.json(report)
  else {
    for (const { where, message, severity } of report.problems)
      terminal.view(`${where}: ${severity === 'warning' ? 'warning: ' : ''}${message}\n`)
    const more = report.errors + report.warnings - report.problems.length
    if (more > 0) terminal.out(`… and ${more} more\n`)
    terminal.note(
      `${report.examples} examples can be read; ${report.errors} records cannot, ${report.warnings} are of no use`,
    )
  }
  return report.problems.length ? 1 : 0
}

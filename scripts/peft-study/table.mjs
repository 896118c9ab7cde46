// @ts-check
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [begin, end] = ['<!-- study -->', '<!-- /study -->']

/** @param {number} value */
const short = (value) => value.toLocaleString('en', { maximumSignificantDigits: 3 })

/**
 * The table of docs/peft.md.
 * @param {any} study bench/results/peft-study.json
 */
export function tableOf({ date, machine, node, steps, rowsPerStep, held, timedSteps, rounds, rows }) {
  const head = '| method | trained parameters | file, KiB | solved | rate | tokens/s | peak, MiB |'
  const lines = rows.map(
    (/** @type {any} */ row) =>
      `| ${[
        row.arm,
        row.trainable.toLocaleString('en'),
        short(row.bytes / 1024),
        `${((100 * row.correct) / row.total).toFixed(1)} %`,
        row.rate,
        row.tokensPerSecond === null ? '' : row.tokensPerSecond.toLocaleString('en'),
        row.peakMiB ?? '',
      ].join(' | ')} |`,
  )
  return [
    `${steps} steps of ${rowsPerStep} rows; solved of ${held} problems held out; of three learning rates the one with the lowest training loss. ` +
      `Speed and memory: medians of ${rounds} rounds in turns, ${timedSteps} steps each; ${machine}, Node ${node.slice(1)}, ${date}.`,
    '',
    head,
    '|---|--:|--:|--:|--:|--:|--:|',
    ...lines,
  ].join('\n')
}

/** Puts the table between its marks. @param {string} root @param {any} study */
export function writeTable(root, study) {
  const file = join(root, 'docs/peft.md')
  const text = readFileSync(file, 'utf8')
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`${file} lacks ${begin} … ${end}`)
  const table = `${begin}\n${tableOf(study)}\n`
  writeFileSync(file, text.slice(0, from) + table + text.slice(to))
}

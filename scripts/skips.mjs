// @ts-check
// What tests and steps of npm test may be skipped: test/skips.json. With CI=true anything else that is skipped fails the run.
import { readFileSync } from 'node:fs'

/**
 * @typedef {object} Skip
 * @property {string} [step] of scripts/run.mjs
 * @property {string} [file] of tests, from the root of the repository
 * @property {string} [tests] how the full names of the tests begin; all of the file when absent
 * @property {string[]} [on] operating systems; all when absent
 * @property {string} needs why, and what brings it
 */

/** @type {readonly Skip[]} */
export const skips = JSON.parse(readFileSync(new URL('../test/skips.json', import.meta.url), 'utf8'))

/** Whether a skip outside of the list fails the run. */
export const isStrict = () => process.env.CI === 'true'

const here = (/** @type {Skip} */ { on }) => on === undefined || on.includes(process.platform)

/** Whether the list names a step of scripts/run.mjs. */
export const mayStepBeSkipped = (/** @type {string} */ step) =>
  skips.some((skip) => skip.step === step && here(skip))

/** Whether the list names a test, by its file and its full name. */
export const mayTestBeSkipped = (/** @type {string} */ file, /** @type {string} */ name) =>
  skips.some((skip) => skip.file === file && here(skip) && name.startsWith(skip.tests ?? ''))

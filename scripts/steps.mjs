// @ts-check
// Runs commands side by side, each on a processor of its own: plain Node, because a fresh clone runs it before anything is installed.
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { performance } from 'node:perf_hooks'

/**
 * @typedef {object} Step
 * @property {string} name What it does, as it is shown.
 * @property {string} command
 * @property {string[]} args
 * @property {string[]} [after] Names of the steps that it needs.
 * @property {boolean} [waits] It waits for others, such as the network, and takes no processor.
 * @property {string} [lock] What it holds alone: of the steps that name the same, one runs at a time.
 * @property {NodeJS.ProcessEnv} [env]
 * @property {(status: number | null) => void} [failed] What to do where it fails; without it the run ends.
 */

/**
 * Runs steps in their order, each as soon as those that it needs have ended and a processor is free. What a step writes is shown in one
 * piece when it has ended. After the first that fails no other begins; those under way end, and the returned name is that of the first.
 * @param {readonly Step[]} steps
 * @param {{ cwd: string, processors?: number }} options
 * @returns {Promise<string | null>} the step that failed
 */
export function runSteps(steps, { cwd, processors = availableParallelism() }) {
  const waiting = [...steps]
  /** @type {Set<Step>} */
  const running = new Set()
  const ended = new Set()
  /** @type {string | null} */
  let failure = null
  return new Promise((resolve) => {
    const isFree = (/** @type {Step} */ { waits = false, after = [], lock }) =>
      ![...running].some((step) => lock !== undefined && step.lock === lock) &&
      (waits || [...running].filter((step) => !step.waits).length < processors) &&
      after.every((name) => ended.has(name))
    const begin = () => {
      for (let next; failure === null && (next = waiting.find(isFree));) {
        waiting.splice(waiting.indexOf(next), 1)
        start(next)
      }
      if (running.size === 0) resolve(failure ?? waiting[0]?.name ?? null)
    }
    const start = (/** @type {Step} */ step) => {
      const { name, command, args, env = process.env } = step
      running.add(step)
      const from = performance.now()
      const shell = process.platform === 'win32'
      console.error(`… ${name}`)
      const child = spawn(command, args, { cwd, env, shell, stdio: ['ignore', 'pipe', 'pipe'] })
      /** @type {Buffer[]} */
      const output = []
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => output.push(data))
      let isOver = false
      const over = (/** @type {number | null} */ status, problem = '') => {
        if (isOver) return
        isOver = true
        running.delete(step)
        ended.add(name)
        const seconds = Math.round((performance.now() - from) / 1000)
        console.error(`\n— ${name}: ${seconds} s\n${Buffer.concat(output).toString()}${problem}`)
        if (status !== 0) {
          if (step.failed) step.failed(status)
          else failure ??= `${name} failed: ${command} ${args.join(' ')}`
        }
        begin()
      }
      child.on('error', (error) => over(1, `${command} could not be started: ${error.message}\n`))
      child.on('close', (status) => over(status))
    }
    begin()
  })
}

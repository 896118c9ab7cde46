// @ts-check
// Servers as processes of their own, for benches: ift's, and llama.cpp's by xllamacpp.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** @typedef {{ url: string, model: string, version: string, pid: number, stop: () => Promise<number | null> }} Started */

const root = fileURLToPath(new URL('..', import.meta.url))
const xllamacpp = 'xllamacpp==2026.10.11549'

/**
 * @param {import('node:child_process').ChildProcess} child @param {(text: string) => [url: string, version: string] | null} ready
 * @param {() => void} end
 */
async function started(child, ready, end) {
  let said = ''
  const found = await new Promise((resolve, reject) => {
    const onData = (/** @type {Buffer} */ data) => {
      // What a server says while it answers is of no interest; it is read all the same.
      if (said.length < 2 ** 16) said += data.toString()
      const at = ready(said)
      if (at) resolve(at)
    }
    child.stdout?.on('data', onData)
    child.stderr?.on('data', onData)
    child.once('exit', () => reject(new Error(`The server ended: ${said}`)))
  })
  const [url, version] = /** @type {[string, string]} */ (found)
  const response = await fetch(`${url}/models`)
  const { data } = /** @type {{ data: { id: string }[] }} */ (await response.json())
  const exited = new Promise((resolve) => child.once('exit', resolve))
  const stop = async () => {
    end()
    return /** @type {Promise<number | null>} */ (exited)
  }
  return { url, model: data[0]?.id ?? '', version, pid: child.pid ?? 0, stop }
}

/** `ift serve` on a free port. @param {readonly string[]} args @returns {Promise<Started>} */
export function iftServer(args) {
  const cli = join(root, 'packages/cli/bin/ift.js')
  const child = spawn(process.execPath, [cli, 'serve', '--port', '0', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const version = spawnSync(process.execPath, [cli, '--version'], { encoding: 'utf8' }).stdout.trim()
  return started(
    child,
    (text) => {
      const url = /Ready: (http:\S+)/.exec(text)?.[1]
      return url === undefined ? null : [url, `ift ${version}`]
    },
    () => child.kill('SIGTERM'),
  )
}

/**
 * llama.cpp's server; its environment is made where there is none.
 * @param {string} model a GGUF file @param {{ threads: number, slots: number, context: number, venv?: string }} options @returns {Promise<Started>}
 */
export function llamaServer(
  model,
  { threads, slots, context, venv = join(homedir(), '.cache/ift-xllamacpp') },
) {
  const python = join(venv, 'bin/python')
  if (!existsSync(python)) spawnSync('python3', ['-m', 'venv', venv], { stdio: 'inherit' })
  spawnSync(python, ['-m', 'pip', 'install', '-q', xllamacpp], { stdio: 'inherit' })
  const script = join(root, 'bench/peers/llama_server.py')
  const child = spawn(python, [script, model, ...[threads, slots, context].map(String)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  return started(
    child,
    (text) => {
      const found = /(xllamacpp \S+) (http:\S+)/.exec(text)
      return found ? [`${found[2]}/v1`, found[1] ?? ''] : null
    },
    () => child.kill('SIGKILL'),
  )
}

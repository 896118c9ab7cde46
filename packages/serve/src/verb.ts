import { readFileSync } from 'node:fs'
import { Ift, IftError, localPath, verb, type VerbContext } from '@ift/core'
import { adapterFolder, adapterWords, mostAdapters } from './adapter-folder.js'
import { listen } from './listen.js'
import { pageFolder } from './page.js'
import { keptToken } from './page-token.js'
import { untilUnwatched } from './until-unwatched.js'
import { createServer } from './server.js'

const listed = (text: string | undefined): readonly string[] =>
  (text ?? '').split(',').flatMap((part) => part.trim() || [])

/** The key of the command line, of a file, or of the environment. */
function keyOf(key: string | undefined, file: string | undefined, cwd: string): string | undefined {
  if (key !== undefined && file !== undefined)
    throw new IftError('IFT_USAGE', 'The key is given twice.', 'Leave out --api-key or --api-key-file.')
  const found = file === undefined ? (key ?? process.env['IFT_API_KEY']) : read(localPath(cwd, file))
  if (found === undefined) return undefined
  if (!/^[\x21-\x7e]{1,512}$/.test(found))
    throw new IftError(
      'IFT_USAGE',
      'A key expected 1 to 512 visible ASCII characters without spaces.',
      'Make one: openssl rand -hex 32',
    )
  return found
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (cause) {
    throw new IftError('IFT_FILE_UNREADABLE', `The key cannot be read from ${path}.`, undefined, { cause })
  }
}

/** The session with the adapters of a folder beside those that the command line or the config names. */
async function withAdapters(
  { session, terminal }: Pick<VerbContext, 'session' | 'terminal'>,
  folder: string,
  most: number,
): Promise<VerbContext['session']> {
  const { adapters, notes } = adapterFolder(folder, most)
  for (const note of notes) terminal.note(note)
  const given =
    session.flags?.['adapter'] ??
    (await Ift.using(session, (ift) => Promise.resolve(adapterWords(ift.config.adapter))))
  const listed = [...adapters].map(([name, dir]) => `${name}=${dir}`)
  return { ...session, flags: { ...session.flags, adapter: [...given, ...listed] } }
}

export const serve = verb({
  name: 'serve',
  description: "Answer over HTTP, with OpenAI's API, and show the page: chat, runs, data.",
  example: 'npx ift serve --weights ./llama --adapter zh=runs/zh/adapter',
  config: ['weights', 'adapter', 'template', 'device', 'dtype', 'quantize', 'deterministic', 'generate'],
  options: {
    host: {
      type: 'string',
      default: '127.0.0.1',
      description: 'address to be reached at; others need a key',
    },
    port: { type: 'integer', min: 0, max: 65535, default: 8410, description: 'port; 0 is one that is free' },
    apiKey: { type: 'string', value: 'key', description: 'answer those that have it; also IFT_API_KEY' },
    apiKeyFile: { type: 'string', value: 'file', description: 'file with the key' },
    allowHost: {
      type: 'string',
      value: 'names',
      description: 'names in Host besides localhost, with commas',
    },
    allowOrigin: { type: 'string', value: 'origins', description: 'pages that may ask, with commas' },
    adapters: {
      type: 'string',
      value: 'dir',
      description:
        'folder with adapters, each served by the name of its own folder; requests load and unload them',
    },
    maxAdapters: {
      type: 'integer',
      min: 1,
      max: mostAdapters,
      default: mostAdapters,
      description: 'adapters of the folder at a time',
    },
    adapterMemory: {
      type: 'number',
      value: 'GiB',
      min: 0,
      max: 65536,
      description: 'size of their files together; a quarter of what is free',
    },
    runs: {
      type: 'string',
      value: 'dirs',
      description: 'folders of runs to be shown, with commas; else ift-runs and runs',
    },
    noModel: { type: 'boolean', description: 'open no model: show runs and data' },
    page: { type: 'string', value: 'dir', description: 'files of the page, in place of @ift/web' },
    noPage: { type: 'boolean', description: 'answer the API alone' },
    whileRuns: {
      type: 'integer',
      value: 'pid',
      min: 1,
      description: 'end when this process has ended and nobody watches; for npx ift train --ui',
    },
    name: { type: 'string', description: 'name of the model for clients' },
    maxTokens: { type: 'integer', min: 1, description: 'new tokens of an answer at most' },
    maxSequences: {
      type: 'integer',
      min: 1,
      max: 1024,
      description: 'answers at a time; 16 on a CPU, 128 on CUDA',
    },
    cache: {
      type: 'number',
      value: 'GiB',
      min: 0,
      max: 65536,
      description: 'memory of keys and values; half of what is free',
    },
    maxQueue: { type: 'integer', min: 1, default: 256, description: 'requests that wait at most' },
    grace: { type: 'number', min: 0, default: 30, description: 'seconds for answers under way when it ends' },
    strict: { type: 'boolean', description: 'refuse fields of requests that are not known' },
    alpacaCot: {
      type: 'boolean',
      description: "answer the paths of Alpaca-CoT's web.py too: POST / {prompt}",
    },
    quiet: { type: 'boolean', description: 'write no line for each request' },
    logPrompts: { type: 'boolean', description: 'write prompts to the log' },
  },
  async run(context) {
    const { terminal, cwd, options, untilInterrupted } = context
    const { host, port, grace, apiKey, apiKeyFile, allowHost, allowOrigin, quiet, ...own } = options
    const { noModel, noPage, page: files, runs, whileRuns } = own
    const folder = own.adapters === undefined ? undefined : localPath(cwd, own.adapters)
    const key = keyOf(apiKey, apiKeyFile, cwd)
    const session =
      folder === undefined ? context.session : await withAdapters(context, folder, own.maxAdapters)
    return Ift.using(session, async (ift) => {
      const { name, maxTokens, maxSequences, cache, maxQueue, strict, logPrompts, alpacaCot } = own
      const { maxAdapters, adapterMemory } = own
      // An adapter names its base.
      const { weights, adapter } = ift.config
      const withoutModel = noModel || (weights === undefined && adapter === undefined)
      const token = keptToken()
      const server = createServer(ift, {
        withoutModel,
        ...(!noPage && {
          page: {
            folder:
              files === undefined ? pageFolder([ift.rootDir, ...ift.searchFrom]) : localPath(cwd, files),
            runs: listed(runs).map((dir) => localPath(cwd, dir)),
            program: { command: process.execPath, args: [...process.execArgv, process.argv[1]!] },
            token,
          },
        }),
        ...{ maxQueue, strict, logPrompts, alpacaCot },
        ...{ allowHosts: listed(allowHost), allowOrigins: listed(allowOrigin) },
        ...(key !== undefined && { apiKey: key }),
        ...(name !== undefined && { name }),
        ...(maxTokens !== undefined && { maxTokens }),
        ...(maxSequences !== undefined && { maxSequences }),
        ...(folder !== undefined && { adapters: folder, maxAdapters }),
        ...(adapterMemory !== undefined && { adapterBytes: adapterMemory * 2 ** 30 }),
        ...(cache !== undefined && { cacheBytes: cache * 2 ** 30 }),
        ...(!quiet && { log: (line: string) => terminal.note(line) }),
      })
      const listening = await listen(server, { host, port })
      try {
        if (!withoutModel)
          terminal.note(
            `${listening.url}/v1 ${key === undefined ? 'for everybody on this machine' : 'for those with the key'}`,
          )
        const page = `${listening.url}/#t=${token}`
        if (!noPage) terminal.note(`Page: ${page}`)
        process.send?.({ page })
        await untilInterrupted('Ending; answers under way have their time.', async (signal) => {
          const asked = new Promise<void>((resolve) => {
            signal.addEventListener('abort', () => {
              resolve()
            })
          })
          await Promise.race([server.ready, asked])
          if (signal.aborted) return
          terminal.note(`Ready: ${listening.url}${withoutModel ? '' : '/v1'}`)
          await (whileRuns === undefined ? asked : Promise.race([asked, untilUnwatched(whileRuns, server)]))
          await listening.close(grace * 1000)
        })
      } finally {
        await listening.close(0)
        await server.close()
      }
      return 0
    })
  },
})

import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { localPath, PluginSession, type Verb } from '@ift/core'
import { checkVerb } from './declare.js'
import { commands } from './index.js'

/** Packages that ship with the command line, the CPU kernels among them, are found from here. */
export const here = fileURLToPath(new URL('.', import.meta.url))

/** Verbs that installed packages bring; a package is loaded when its verb is called. */
export class PackageVerbs {
  readonly #session: PluginSession

  /** Packages are looked for as a session with this config would. */
  constructor(cwd: string, configFile: string | undefined) {
    const named = configFile === undefined || configFile === '-' ? cwd : localPath(cwd, configFile)
    const isFile = existsSync(named) && statSync(named).isFile()
    this.#session = new PluginSession(isFile ? dirname(named) : named, [here])
  }

  /** Names and descriptions, without loading anything. */
  list(): ReadonlyMap<string, string> {
    const found = new Map<string, string>()
    for (const { provides } of this.#session.packages())
      for (const [name, { description }] of Object.entries(provides.verb))
        if (!found.has(name)) found.set(name, description)
    for (const { name } of commands) found.delete(name)
    return found
  }

  /** The verb of a name. IFT_PLUGIN_NOT_FOUND says what is there, and what to install for one of this project's. */
  async load(name: string): Promise<Verb> {
    if (!this.#session.provides('verb', name))
      throw this.#session.notFound('verb', name, [...commands.map((verb) => verb.name), 'help'])
    const verb = await this.#session.verb(name)
    checkVerb(verb)
    return verb
  }
}

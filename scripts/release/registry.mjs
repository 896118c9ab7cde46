// @ts-check
// A registry on this machine: the tarballs of a folder, as npm would serve them. Other names are passed on to the registry that
// npm is configured with, names of this project never: nobody else's package can take their place.
//
//   node scripts/release/registry.mjs FOLDER [PORT]     prints its address
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { addOns } from './add-ons.mjs'
import { workspacePackages } from '../workspace.mjs'
import { manifestOf } from './tarball.mjs'

/** @param {string} version */
const order = (version) => version.split(/[.-]/).map(Number)

/** @param {string} a @param {string} b */
const compare = (a, b) => {
  const [x, y] = [order(a), order(b)]
  return x.reduce((found, part, at) => found || part - (y[at] ?? 0), 0)
}

/** What npm asks for by name: versions with the hash of their tarball. @param {string} folder @param {string} address */
function packuments(folder, address) {
  /** @typedef {{ name: string, versions: Record<string, any>, time: Record<string, string>, 'dist-tags': { latest: string } }} Packument */
  /** @type {Map<string, Packument>} */
  const found = new Map()
  for (const file of readdirSync(folder).filter((one) => one.endsWith('.tgz'))) {
    const manifest = manifestOf(join(folder, file))
    const hash = createHash('sha512')
      .update(readFileSync(join(folder, file)))
      .digest('base64')
    const { name, version } = manifest
    /** @type {Packument} */
    const packument = found.get(name) ?? { name, versions: {}, time: {}, 'dist-tags': { latest: version } }
    packument.versions[version] = {
      ...manifest,
      dist: { tarball: `${address}/-/tarballs/${file}`, integrity: `sha512-${hash}` },
    }
    packument.time[version] = statSync(join(folder, file)).mtime.toISOString()
    packument['dist-tags'].latest = Object.keys(packument.versions).sort(compare).at(-1) ?? version
    found.set(name, packument)
  }
  return found
}

/** The registry that npm is configured with. */
function configuredRegistry() {
  const { stdout } = spawnSync('npm', ['config', 'get', 'registry'], {
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  return stdout.trim()
}

/** @param {{ 'dist-tags': Record<string, string> } | undefined} packument */
const tags = (packument) => packument?.['dist-tags'] ?? {}

/** Serves a folder, tarballs too that are put into it later. @param {string} folder @param {number} port */
async function serve(folder, port) {
  const upstream = configuredRegistry()
  const own = new Set(workspacePackages().map(({ name }) => name))
  const scopes = new Set(addOns().map((addOn) => addOn.package.split('/')[0] ?? ''))
  /** @param {string} name */
  const isOwn = (name) => own.has(name) || scopes.has(name.split('/')[0] ?? '')
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname).slice(1)
    // NAME, or NAME/VERSION, where a version may be a tag.
    const [, name = '', version] = /^((?:@[^/]+\/)?[^/]+)(?:\/([^/]+))?$/.exec(path) ?? []
    const tarball = /^-\/tarballs\/([^/]+\.tgz)$/.exec(path)?.[1]
    if (tarball !== undefined && readdirSync(folder).includes(tarball)) {
      response.end(readFileSync(join(folder, tarball)))
    } else if (isOwn(name)) {
      const packument = packuments(folder, `http://${request.headers.host}`).get(name)
      const found = version ? packument?.versions[tags(packument)[version] ?? version] : packument
      response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' })
      response.end(JSON.stringify(found ?? { error: 'Not found' }))
    } else {
      response.writeHead(307, { location: new URL(request.url?.slice(1) ?? '', upstream).href })
      response.end()
    }
  })
  server.listen(port, '127.0.0.1', () => {
    const bound = server.address()
    console.log(`http://127.0.0.1:${typeof bound === 'object' && bound ? bound.port : port}`)
  })
}

/** Starts a registry in a process of its own; `stop` ends it. @param {string} folder */
export async function startRegistry(folder) {
  const started = spawn(process.execPath, [fileURLToPath(import.meta.url), folder], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  if (started.stdout === null) throw new Error('the registry has no output')
  for await (const address of createInterface(started.stdout)) return { address, stop: () => started.kill() }
  throw new Error('the registry ended before it had an address')
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [, , folder, port] = process.argv
  // Whoever started it has ended, however that came.
  process.once('disconnect', () => process.exit())
  if (folder === undefined) throw new Error('Usage: node scripts/release/registry.mjs FOLDER [PORT]')
  await serve(folder, Number(port ?? 0))
}

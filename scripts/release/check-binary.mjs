// @ts-check
// What a native file is, read from its bytes: nothing of it is run, so files for other systems are checked too.
import { homedir } from 'node:os'
import { root } from '../workspace.mjs'

/** @import { Platform } from './add-ons.mjs' */

/** @type {Record<string, Record<string, number>>} */
const machines = {
  ELF: { x64: 0x3e, arm64: 0xb7 },
  'Mach-O': { x64: 0x01000007, arm64: 0x0100000c },
  PE: { x64: 0x8664, arm64: 0xaa64 },
}

/** @type {Record<string, string>} */
const formats = { linux: 'ELF', darwin: 'Mach-O', win32: 'PE' }

/** Format and number of the machine of a library; null for other files. @param {Buffer} bytes */
export function formatOf(bytes) {
  if (bytes.length < 64) return null
  if (bytes.readUInt32BE(0) === 0x7f454c46) return { format: 'ELF', machine: bytes.readUInt16LE(18) }
  if (bytes.readUInt32LE(0) === 0xfeedfacf) return { format: 'Mach-O', machine: bytes.readUInt32LE(4) }
  if (bytes.toString('latin1', 0, 2) !== 'MZ') return null
  const at = bytes.readUInt32LE(0x3c)
  if (at + 6 > bytes.length || bytes.toString('latin1', at, at + 4) !== 'PE\0\0') return null
  return { format: 'PE', machine: bytes.readUInt16LE(at + 4) }
}

/** Newest glibc that a library asks for; null where it asks for none. @param {Buffer} bytes */
export function glibcOf(bytes) {
  const minors = [...bytes.toString('latin1').matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor))
  return minors.length > 0 ? `2.${Math.max(...minors)}` : null
}

const someonesHome = /(?:\/(?:root|home\/[^/\0]+|Users\/[^/\0]+)\/|[A-Z]:\\Users\\)[\x21-\x7e]*/

/**
 * Faults of a file as the add-on of a platform. None of `folders` may be named in it.
 * @param {Buffer} bytes @param {Platform} platform @param {readonly string[]} [folders]
 */
export function faultsOf(bytes, platform, folders = [root, homedir()]) {
  const faults = []
  const found = formatOf(bytes)
  const format = formats[platform.os] ?? ''
  if (found?.format !== format)
    faults.push(`expected a library in the format ${format}, found ${found?.format ?? 'none'}`)
  else if (found.machine !== machines[format]?.[platform.cpu])
    faults.push(`expected code for ${platform.cpu}, found machine 0x${found.machine.toString(16)}`)
  const text = bytes.toString('latin1')
  if (!text.includes('napi_register_module_v1')) faults.push('does not export napi_register_module_v1')
  if (platform.abi === 'musl' && glibcOf(bytes) !== null) faults.push('asks for glibc, expected musl')
  const path =
    folders.map((folder) => folder.replace(/\/$/, '')).find((folder) => text.includes(`${folder}/`)) ??
    someonesHome.exec(text)?.[0]
  if (path !== undefined) faults.push(`holds a path of the machine that built it: ${path.slice(0, 120)}`)
  return faults
}

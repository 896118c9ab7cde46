// @ts-check
// What a native file is, read from its bytes: nothing of it is run, so files for other systems are checked too.
import { homedir } from 'node:os'
import { root } from '../workspace.mjs'
import { readLibrary } from './library.mjs'

/** @import { Platform } from './add-ons.mjs' */

/** @type {Record<string, Record<string, number>>} */
const machines = {
  ELF: { x64: 0x3e, arm64: 0xb7 },
  'Mach-O': { x64: 0x01000007, arm64: 0x0100000c },
  PE: { x64: 0x8664, arm64: 0xaa64 },
}

/** @type {Record<string, string>} */
const formats = { linux: 'ELF', darwin: 'Mach-O', win32: 'PE' }

/**
 * Libraries that a system has wherever Node runs there.
 * @type {Record<string, RegExp>}
 */
const present = {
  gnu: /^(?:lib(?:c|m|dl|rt|util|pthread|gcc_s)|ld-linux-[\w-]+)\.so\.\d$/,
  musl: /^(?:libc(?:\.musl-\w+)?\.so(?:\.1)?|ld-musl-\w+\.so\.1|libgcc_s\.so\.1)$/,
  darwin: /^\/(?:usr\/lib|System\/Library)\//,
  // Of the system itself: the runtime of Microsoft's compiler is installed apart from it.
  win32:
    /^(?:api-ms-win-[\w-]+|kernel32|kernelbase|ntdll|advapi32|bcrypt|bcryptprimitives|crypt32|ucrtbase|userenv|shell32|ole32|user32|ws2_32)\.dll$/i,
}

/** Oldest macOS that files are released for. */
export const oldestMacOS = '11.0'

/** @param {string} a @param {string} b */
function isNewer(a, b) {
  const [[x = 0, y = 0], [z = 0, w = 0]] = [a.split('.').map(Number), b.split('.').map(Number)]
  return x > z || (x === z && y > w)
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
  const found = readLibrary(bytes)
  const format = formats[platform.os] ?? ''
  if (found?.format !== format) {
    faults.push(`expected a library in the format ${format}, found ${found?.format ?? 'none'}`)
  } else {
    if (found.machine !== machines[format]?.[platform.cpu])
      faults.push(`expected code for ${platform.cpu}, found machine 0x${found.machine.toString(16)}`)
    if (!found.exports.includes('napi_register_module_v1'))
      faults.push('does not export napi_register_module_v1')
    const known = present[platform.abi ?? ''] ?? present[platform.os]
    for (const name of found.needs.filter((one) => known?.test(one) !== true))
      faults.push(`needs ${name}, which a system may lack`)
    if (found.oldest !== null && isNewer(found.oldest, oldestMacOS))
      faults.push(`is for macOS ${found.oldest} or later, expected ${oldestMacOS}`)
  }
  const text = bytes.toString('latin1')
  if (platform.abi === 'musl' && glibcOf(bytes) !== null) faults.push('asks for glibc, expected musl')
  const path =
    folders.map((folder) => folder.replace(/\/$/, '')).find((folder) => text.includes(`${folder}/`)) ??
    someonesHome.exec(text)?.[0]
  if (path !== undefined) faults.push(`holds a path of the machine that built it: ${path.slice(0, 120)}`)
  return faults
}

// @ts-check
// Packages with a native add-on, and the systems that they are released for: the field "napi" of their package.json.
import { parseTriple } from '@napi-rs/cli'
import { workspacePackages } from '../workspace.mjs'

/**
 * @typedef {object} Platform
 * @property {string} target Rust's name: x86_64-unknown-linux-gnu.
 * @property {string} name napi-rs's name: linux-x64-gnu.
 * @property {string} os
 * @property {string} cpu
 * @property {string | null} abi
 *
 * @typedef {object} AddOn
 * @property {string} package
 * @property {string} folder
 * @property {string} binary Name of its files, without platform.
 * @property {Platform[]} platforms
 */

/** @param {string} target @returns {Platform} */
export function platformOf(target) {
  const { platformArchABI, platform, arch, abi } = parseTriple(target)
  return { target, name: platformArchABI, os: platform, cpu: arch, abi }
}

/** @param {string} [root] A copy of the repository. @returns {AddOn[]} */
export const addOns = (root) =>
  workspacePackages(root)
    .filter(({ isPublished, json }) => isPublished && json.napi)
    .map(({ name, folder, json }) => ({
      package: name,
      folder,
      binary: json.napi.binaryName,
      platforms: json.napi.targets.map(platformOf),
    }))

/** @param {AddOn} addOn @param {Platform} platform */
export const fileOf = (addOn, platform) => `${addOn.binary}.${platform.name}.node`

/** @param {AddOn} addOn @param {Platform} platform */
export const packageOf = (addOn, platform) => `${addOn.package}-${platform.name}`

/** Files that a folder must hold for a whole release, with where each belongs. */
export const wanted = () =>
  addOns().flatMap((addOn) =>
    addOn.platforms.map((platform) => ({ addOn, platform, file: fileOf(addOn, platform) })),
  )

// Builds the native add-on of the package in the current folder by Rust. With IFT_PREBUILT, a folder of built files (those of a
// release: kernels-cpu.linux-x64-gnu.node, …), it takes the files from there instead. With IFT_NATIVE=later it does nothing: whoever set it
// builds the add-ons beside the packages.
import { spawnSync } from 'node:child_process'
import { copyFileSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { root } from './workspace.mjs'

const { binaryName } = JSON.parse(readFileSync('package.json', 'utf8')).napi
const folder = process.env.IFT_PREBUILT

if (process.env.IFT_NATIVE === 'later') process.exit(0)
if (folder === undefined) {
  const options = ['--platform', '--release', '--no-js']
  const { status, error } = spawnSync(
    'napi',
    ['build', ...options, '--manifest-path', 'native/Cargo.toml', '--output-dir', '.', '--', '--workspace'],
    { stdio: 'inherit', shell: process.platform === 'win32' },
  )
  if (error) throw error
  process.exitCode = status ?? 1
} else {
  const from = resolve(root, folder)
  const files = readdirSync(from).filter(
    (name) => name.startsWith(`${binaryName}.`) && name.endsWith('.node'),
  )
  if (files.length === 0) {
    console.error(`IFT_PREBUILT: ${from} holds no ${binaryName}.*.node`)
    process.exit(1)
  }
  for (const file of files) copyFileSync(join(from, file), file)
  console.log(`${files.join(', ')} from ${from}`)
}

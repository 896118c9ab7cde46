// Runs in a user's folder, by the Node of a system: loads its native add-ons and compares the CPU's kernels with the reference.
//
//   node probe.mjs PLATFORM SECONDS     prints JSON: names that each add-on exports, kernels by instruction set
//
// All cases are in the same order everywhere, those of one kernel far apart, so that a part of them is a part of every kernel.
import { createRequire } from 'node:module'
import { readdirSync } from 'node:fs'
import process from 'node:process'
import { instructionSets, openCpu } from '@ift/kernels-cpu'
import { backendConformance } from '@ift/tensor/testing'

const [, , platform, seconds] = process.argv
const require = createRequire(import.meta.url)

const addOns = Object.fromEntries(
  readdirSync('node_modules/@ift')
    .filter((name) => name.endsWith(`-${platform}`))
    .map((name) => [name.slice(0, -platform.length - 1), Object.keys(require(`@ift/${name}`)).sort()]),
)

const kernels = []
const sets = instructionSets()
for (const isa of sets) {
  const cases = backendConformance(() => openCpu({ isa, threads: 2 }))
  const stride = 97
  const ordered = Array.from({ length: stride }, (_, first) =>
    cases.filter((_, at) => at % stride === first),
  ).flat()
  const failed = []
  const until = performance.now() + (1000 * Number(seconds)) / sets.length
  let tried = 0
  for (const { name, run } of ordered) {
    if (performance.now() > until) break
    tried++
    try {
      await run()
    } catch (error) {
      failed.push(`${name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  kernels.push({ isa, cases: cases.length, tried, failed })
}
console.log(JSON.stringify({ addOns, kernels }))

/** Two sessions in one process: one trains an adapter while the other answers several callers. Run: npx jiti main.ts */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Ift, type GenerateOptions, type IftConfig } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'

const quickstart = (path: string) => fileURLToPath(new URL(`../quickstart/${path}`, import.meta.url))
const base: IftConfig = { weights: quickstart('model'), template: 'alpaca' }
const question = { instruction: 'Name three animals.', input: '' }

export async function main(cwd: string, print: (line: string) => void): Promise<void> {
  const open = (more: IftConfig) =>
    Ift.load({ cwd, config: { ...base, ...more }, plugins: [cpu, llama, lora] })
  const train = { maxSteps: 4, batchSize: 8, microBatchTokens: 1024, evalEvery: 0 }
  const learner = await open({ data: quickstart('data/bilingual.jsonl'), train, output: 'run' })
  const speaker = await open({})
  try {
    const training = await learner.createTraining()
    training.trainer.hooks.step.tapPromise('embed', async (result) => {
      print(`learner: step ${result.step}, loss ${(await result.loss()).toFixed(3)}`)
    })
    const open = await speaker.openModel()
    const before = open.backend.memory().buffers
    const generator = await speaker.createGenerator(open)
    const ask = async (caller: string, options: GenerateOptions) => {
      const { text, finish } = await generator.generate(question, options)
      print(`${caller}: ${text} (${finish})`)
    }
    const listen = async () => {
      let pieces = 0
      // To leave the loop ends the request; the other callers do not notice.
      for await (const _ of generator.stream(question, { maxNewTokens: 200 })) if (++pieces === 3) break
      print(`third caller: left after ${pieces} pieces`)
    }
    const [result] = await Promise.all([
      training.run(),
      ask('first caller', { maxNewTokens: 12 }),
      ask('second caller', { maxNewTokens: 12, doSample: true, topP: 0.9, seed: 7 }),
      listen(),
    ])
    await generator.release()
    print(`speaker: ${open.backend.memory().buffers - before} buffers of the generator are left`)
    print(`learner: ${result.output}`)
  } finally {
    await Promise.all([learner.close(), speaker.close()])
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  await main(mkdtempSync(`${tmpdir()}/ift-embed-`), (line) => console.log(line))

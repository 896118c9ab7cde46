import { IftError } from '@ift/tensor'
import type { ResolvedConfig } from '../config/schema.js'
import { isInstruction, isMessages, type Example, type MessagesExample } from '../contract/data.js'
import type { SampledAnswer } from '../contract/train.js'
import { readExamples } from '../data/build.js'
import { ignoredLabel } from '../data/encode.js'
import { localPath } from '../files/paths.js'
import type { Sampling } from '../train/sampling.js'
import type { OpenModel } from './open-model.js'
import type { RunData } from './run-data.js'
import type { Prompt, TextGenerator } from './text-generator.js'

/** A prompt as the model is given it, and as people read it. */
interface FixedPrompt {
  readonly prompt: Prompt
  readonly text: string
  readonly expected: string | undefined
}

/** Prompts of a file, at most. */
const mostOfFile = 64

const noPrompt = (path: string, hint: string) =>
  new IftError('IFT_CONFIG_INVALID', `train.samples: ${path}`, hint)

/** A conversation up to its last answer; that answer is what is expected. */
function ofConversation({ messages, ...rest }: MessagesExample): FixedPrompt | null {
  const last = messages.findLastIndex(({ role }) => role === 'assistant')
  const asked = last < 0 ? messages : messages.slice(0, last)
  if (asked.length === 0) return null
  return {
    prompt: { ...rest, messages: asked },
    text: asked.findLast(({ role }) => role === 'user')?.content ?? asked.at(-1)!.content,
    expected: last < 0 ? undefined : messages[last]!.content,
  }
}

function ofExample(example: Example): FixedPrompt | null {
  if (isMessages(example)) return ofConversation(example)
  if (!isInstruction(example)) return null
  const { output, ...asked } = example
  return {
    prompt: asked,
    text: [asked.instruction, asked.input].filter((part) => part !== '').join('\n'),
    expected: output === '' ? undefined : output,
  }
}

async function ofFile(path: string): Promise<FixedPrompt[]> {
  const prompts: FixedPrompt[] = []
  for await (const { example } of readExamples(path)) {
    const prompt = ofExample(example)
    if (prompt) prompts.push(prompt)
    if (prompts.length === mostOfFile) break
  }
  if (prompts.length > 0) return prompts
  throw noPrompt(
    `expected records with a prompt in ${path}, found none.`,
    'Records as of data: {"instruction": "…", "output": ""}, a line each.',
  )
}

/** Prompts of samples that are held out, evenly spread over them: what stands before the first answer. */
async function ofValidation(
  { validation }: RunData,
  count: number,
  { tokenizer }: OpenModel,
): Promise<FixedPrompt[]> {
  const order = validation!.order(0, null)
  const prompts: FixedPrompt[] = []
  for (let i = 0; i < Math.min(count, order.length); i++) {
    const { ids, labels } = validation!.sample(
      order[Math.floor((i * order.length) / Math.min(count, order.length))]!,
    )
    const start = labels.findIndex((label, at) => at > 0 && label !== ignoredLabel)
    // A document is learned from its first token on, and asks nothing.
    if (start <= 1) continue
    const length = labels.subarray(start).findIndex((label) => label === ignoredLabel)
    const answer = ids.subarray(start, length < 0 ? undefined : start + length)
    prompts.push({
      prompt: ids.slice(0, start),
      text: (await tokenizer.decode(ids.subarray(0, start))).trim(),
      expected: (await tokenizer.decode(answer)).trim(),
    })
  }
  return prompts
}

/**
 * Answers to the prompts of `train.samples`; null where it names none. Each time a generator is made and released: the weights have changed, and
 * between two times its memory is the training's. It draws random numbers from its own seed.
 */
export async function openSampling(
  rootDir: string,
  { train: { samples } }: ResolvedConfig,
  open: OpenModel,
  data: RunData,
  makeGenerator: () => TextGenerator,
): Promise<Sampling | null> {
  const { prompts: asked, file, maxNewTokens, doSample, temperature, topP, seed } = samples
  if (file === undefined && (asked === 0 || (Array.isArray(asked) && asked.length === 0))) return null
  if (file === undefined && typeof asked === 'number' && data.validation === null)
    throw noPrompt(
      `prompts: ${asked} are to be taken of validation data, and this run has none.`,
      'Set validation.size, or write the prompts: train.samples.prompts: ["…"]',
    )
  const given =
    file !== undefined
      ? await ofFile(localPath(rootDir, file))
      : typeof asked === 'number'
        ? null
        : asked.map((text): FixedPrompt => ({
            prompt: { instruction: text, input: '' },
            text,
            expected: undefined,
          }))
  let found: readonly FixedPrompt[] | null = given
  const settings = { maxNewTokens, seed, ...(doSample && { doSample, temperature, topP }) }

  return {
    readsHeldOut: given === null,
    async answers(step, signal) {
      const prompts = (found ??= await ofValidation(data, asked as number, open))
      const lines = new Array<SampledAnswer>(prompts.length)
      const lineOf = (index: number, answer: string, ended: SampledAnswer['ended'], tokens: number) => {
        const { text: prompt, expected } = prompts[index]!
        const known = expected === undefined ? {} : { expected }
        lines[index] = { ...{ step, index, prompt, answer, ended, tokens }, ...known }
      }
      const generator = makeGenerator()
      try {
        await generator.generateAll(
          prompts.map(({ prompt }) => prompt),
          settings,
          {
            ...(signal && { signal }),
            onRefused: (error, index) => {
              lineOf(index, error.message, 'error', 0)
            },
            onDone: ({ text, ids, finish }, index) => {
              lineOf(index, text.trimStart(), finish === 'length' ? 'length' : 'end', ids.length)
            },
          },
        )
        return lines
      } catch (error) {
        if (signal?.aborted === true) return null
        throw error
      } finally {
        await generator.release()
      }
    },
  }
}

import { randomBytes } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { IftError } from '@ift/tensor'
import { isDiskFull, writeFailed } from '../files/errors.js'
import { rename } from '../files/rename.js'
import type { LocatedExample } from './build.js'
import { messageText, toLastAnswer, toMessages, toRounds } from './conversation.js'
import { exactJson } from './exact-json.js'
import { isInstruction, isMessages, type Example, type Message, type Role } from '../contract/data.js'

export const convertTargets = ['alpaca', 'messages', 'sharegpt'] as const
export type ConvertTarget = (typeof convertTargets)[number]

const sharegptNames: Readonly<Record<Role, string>> = {
  system: 'system',
  user: 'human',
  assistant: 'gpt',
  tool: 'observation',
}

/**
 * An example as a record of another form. Throws IFT_CONVERT for documents and tokenised examples, which have no
 * question and answer. `alpaca` joins what tools return to the user's side and loses a list of tools.
 */
export function convertExample(example: Example, target: ConvertTarget): Record<string, unknown> {
  if (!isInstruction(example) && !isMessages(example))
    throw new IftError(
      'IFT_CONVERT',
      `A ${'text' in example ? 'document' : 'tokenised example'} cannot become a record of the form ${target}.`,
      'Only instructions and conversations can be converted.',
    )
  if (target === 'alpaca') {
    if (isInstruction(example)) {
      const { instruction, input, output, system, history } = example
      return { instruction, input, output, ...(system && { system }), ...(history && { history }) }
    }
    const { system, history, instruction, output, answered, learned } = toRounds({
      messages: toLastAnswer(example.messages),
    })
    if (!answered || learned.includes(false))
      throw new IftError(
        'IFT_CONVERT',
        answered
          ? 'An answer that is not to be learned (weight 0) has no place in a record of the form alpaca.'
          : 'A conversation without an answer cannot become a record of the form alpaca.',
        'Convert to messages or sharegpt, or delete the record.',
      )
    return {
      instruction,
      input: '',
      output,
      ...(system !== '' && { system }),
      ...(history.length > 0 && { history }),
    }
  }
  const messages = toMessages(example)
  const tools = isMessages(example) && example.tools !== undefined ? { tools: example.tools } : {}
  if (target === 'messages')
    return {
      messages: messages.map(({ role, content, toolCalls, fields, learned }) => ({
        role,
        content,
        ...fields,
        // A plugin may have given it one since.
        ...(content !== '' && { content }),
        ...(toolCalls && { tool_calls: toolCalls }),
        ...(learned === false && { weight: 0 }),
      })),
      ...tools,
    }
  return {
    conversations: messages.map((message) => ({
      from: message.toolCalls ? 'function_call' : sharegptNames[message.role],
      value: messageText(message),
      ...otherFields(message),
    })),
    ...tools,
  }
}

/** Fields of a message besides role and content, for a form with other names for these two. */
function otherFields({ fields, learned }: Message): Record<string, unknown> {
  const { role: _role, content: _content, ...others } = fields ?? {}
  return learned === false ? { ...others, weight: 0 } : others
}

/**
 * Writes examples in another form: one record a line, or one JSON array when the name ends in .json. The file appears
 * whole or not at all. Returns the number of records.
 */
export async function convertData(
  examples: AsyncIterable<LocatedExample>,
  target: ConvertTarget,
  path: string,
): Promise<number> {
  const array = path.toLowerCase().endsWith('.json')
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  let count = 0
  try {
    const file = await open(temporary, 'wx')
    try {
      let text = array ? '[' : ''
      for await (const { example, where } of examples) {
        let record: Record<string, unknown>
        try {
          record = convertExample(example, target)
        } catch (cause) {
          if (!(cause instanceof IftError)) throw cause
          throw new IftError(cause.code, `${where}: ${cause.message}`, cause.hint, { cause })
        }
        text += array ? `${count > 0 ? ',' : ''}\n  ${exactJson(record)}` : `${exactJson(record)}\n`
        count++
        if (text.length < 1 << 20) continue
        await file.writeFile(text)
        text = ''
      }
      await file.writeFile(array ? `${text}\n]\n` : text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    return count
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined)
    if (cause instanceof IftError || isDiskFull(cause)) throw writeFailed(path, cause)
    throw new IftError(
      'IFT_FILE_WRITE',
      `${path}: ${(cause as Error).message}`,
      'Check the folder and its free space.',
      {
        cause,
      },
    )
  }
}

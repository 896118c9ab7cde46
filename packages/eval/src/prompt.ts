import type { Example, TaskContext, TaskDefinition, TaskPrompt } from '@ift/core'

/** What is asked about a document: a text behind its preamble and shots, or what the task made of it. */
export function promptOf(
  task: TaskDefinition,
  document: unknown,
  context: TaskContext,
  { shots, prompt }: { readonly shots: readonly unknown[]; readonly prompt: 'text' | 'instruction' },
): TaskPrompt {
  const question = task.render(document, context)
  if (typeof question !== 'string') return question
  const text = [
    task.preamble?.(document, context) ?? '',
    ...shots.map((shot) => `${task.shown!(shot, context)}\n\n`),
    question,
  ].join('')
  return prompt === 'text' ? text : { instruction: text, input: '' }
}

/** A prompt as people read it. */
export function promptText(prompt: TaskPrompt): string {
  if (typeof prompt === 'string') return prompt
  if ('messages' in prompt)
    return prompt.messages.map(({ role, content }) => `${role}: ${content}`).join('\n')
  return [prompt.instruction, prompt.input].filter((part) => part !== '').join('\n')
}

/** An instruction or conversation with its answer, as training has it. */
export function answered(prompt: Exclude<TaskPrompt, string>, answer: string): Example {
  return 'messages' in prompt
    ? { ...prompt, messages: [...prompt.messages, { role: 'assistant', content: answer }] }
    : { ...prompt, output: answer }
}

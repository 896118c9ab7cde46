import { before, columns, defineCollection, messages } from '@ift/core/collection'
import { turns } from './turns.js'

const chat = (name: string) => ({
  files: [[`${name}_chat.zip`, `${name}_chat.tar.gz`, `${name}_chat/*.json`]],
  converted: [`camel/${name}.json`],
  read: messages(
    turns,
    { user: 'user', assistant: 'assistant' },
    { system: 'specified_task', repair: true, text: before('<CAMEL_TASK_DONE>', 'CAMEL_TASK_DONE') },
  ),
})

const meta = { topic: ['topic', 'topic;'], sub_topic: 'sub_topic' }
const problems = (name: string) => ({
  files: [[`${name}.zip`, `${name}/*.json`]],
  converted: [`camel/${name}.json`],
  read: columns({ instruction: 'message_1', output: 'message_2' }, { meta }),
})

/** Role play about tasks, and problems with solutions, each a file in an archive. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  'camel-society': chat('ai_society'),
  'camel-code': chat('code'),
  'camel-math': problems('math'),
  'camel-physics': problems('physics'),
  'camel-chemistry': problems('chemistry'),
  'camel-biology': problems('biology'),
})

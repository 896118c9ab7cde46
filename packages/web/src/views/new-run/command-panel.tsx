import { useState } from 'preact/hooks'
import { Copy } from '../../components/copy.js'
import { Panel } from '../../components/panel.js'
import { Segmented } from '../../components/segmented.js'
import { commandParts, commandText, fileParts } from './command.js'
import { faults, plan, wrong } from './state.js'
import { text } from './text.js'

/** The same run as a command or a config file; wrong values are underlined. */
export function CommandPanel() {
  const words = text()
  const [shown, setShown] = useState<'command' | 'file'>('command')
  const command = plan.value?.reply.command
  if (command === undefined) return null
  const marked = [...faults.value, ...[...wrong.value.keys()].map((path) => ({ path }))]
  const parts = shown === 'command' ? commandParts(command.lines, marked) : fileParts(command.file, marked)
  return (
    <Panel
      flush
      class="new-run-command"
      title={
        <Segmented
          small
          label={words.shown}
          options={[
            { value: 'command', text: words.command },
            { value: 'file', text: words.file },
          ]}
          value={shown}
          onChange={setShown}
        />
      }
      beside={<Copy text={() => (shown === 'command' ? commandText(command.lines) : command.file)} />}
    >
      <pre tabIndex={0} aria-label={shown === 'command' ? words.command : words.file}>
        {parts.map((part, i) => (part.wrong ? <mark key={i}>{part.text}</mark> : part.text))}
      </pre>
    </Panel>
  )
}

import './key-list.css'
import { signal } from '@preact/signals'
import { Dialog } from '../components/dialog.js'
import { text } from './text.js'

export const isShowingKeys = signal(false)

/** All keys. */
export function KeyList() {
  return (
    <Dialog title={text().allKeys} wide closable onClose={() => (isShowingKeys.value = false)}>
      <dl class="key-list">
        {text().keyNames.map(([name, keys]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              {keys.map((key) => (key === '…' ? <span key={key}>…</span> : <kbd key={key}>{key}</kbd>))}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  )
}

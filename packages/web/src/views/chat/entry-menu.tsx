import { useState } from 'preact/hooks'
import { download, exported, forget, history, rename, type Entry } from '../../app/history.js'
import { go, pathOf } from '../../app/routes.js'
import { Button } from '../../components/button.js'
import { ask, Dialog } from '../../components/dialog.js'
import { TextInput } from '../../components/field.js'
import { Menu } from '../../components/menu.js'
import { text } from './text.js'

export interface EntryMenuProps {
  readonly id: string
  readonly kind: Entry['kind']
  readonly onDelete: () => void
}

/** What is done with a conversation or comparison as a whole; nothing as long as it is not in the list. */
export function EntryMenu({ id, kind, onDelete }: EntryMenuProps) {
  const [isNaming, setNaming] = useState(false)
  const entry = history.value.find((one) => one.id === id)
  if (!entry) return null
  const remove = () =>
    ask({
      title: text().deleteTitle(entry.title),
      text: text().deleteText,
      cancel: text().keep,
      actions: [
        {
          ...{ text: text().delete, kind: 'destructive' },
          run: () => {
            onDelete()
            void forget([id])
            go(pathOf(kind))
          },
        },
      ],
    })
  return (
    <>
      <Menu
        label={text().more}
        items={[
          { text: text().rename, icon: 'edit', run: () => setNaming(true) },
          {
            ...{ text: text().exportOne, icon: 'download' },
            run: () => void exported([entry]).then((value) => download(`ift-${kind}.json`, value)),
          },
          { text: text().delete, icon: 'trash', destructive: true, run: remove },
        ]}
      />
      {isNaming && (
        <Naming
          title={entry.title}
          onClose={(name) => {
            setNaming(false)
            if (name) void rename(id, name)
          }}
        />
      )}
    </>
  )
}

function Naming({
  title,
  onClose,
}: {
  readonly title: string
  readonly onClose: (name: string | null) => void
}) {
  const [name, setName] = useState(title)
  const done = () => onClose(name.trim().slice(0, 200))
  return (
    <Dialog
      title={text().renameTitle}
      onClose={() => onClose(null)}
      actions={
        <>
          <Button kind="quiet" onClick={() => onClose(null)}>
            {text().cancel}
          </Button>
          <Button kind="primary" off={name.trim() === '' ? '' : false} onClick={done}>
            {text().rename}
          </Button>
        </>
      }
    >
      <TextInput label={text().renameTitle} value={name} onInput={setName} onEnter={done} />
    </Dialog>
  )
}

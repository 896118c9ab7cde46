import './app.css'
import { useEffect } from 'preact/hooks'
import { Button } from '../components/button.js'
import { Command } from '../components/copy.js'
import { Questions } from '../components/dialog.js'
import { Notice } from '../components/notice.js'
import { Sheet } from '../components/sheet.js'
import { Toasts } from '../components/toast.js'
import { rails, views } from '../views/index.js'
import { connection, machine, tryNow } from './connection.js'
import { Finder, isFinding } from './finder.js'
import { KeyList, isShowingKeys } from './key-list.js'
import { useKeys } from './keys.js'
import { closeList, isListOpen } from './list-sheet.js'
import { Rail, RailFoot, Tabs, viewKeys } from './rail.js'
import { route } from './routes.js'
import { isEntered } from './session.js'
import { isElsewhere } from './tabs.js'
import { text } from './text.js'
import { isPhone } from './width.js'

/** The page: rail or tabs, and the view of the address. */
export function App() {
  if (!isEntered.value || connection.value === 'connecting') return null
  if (connection.value === 'absent') return <Absent />
  if (connection.value === 'locked') return <Locked />
  return <Frame />
}

function Frame() {
  const { view, id } = route.value
  useKeys({
    ...viewKeys,
    'mod+k': { run: () => (isFinding.value = true), whileTyping: true },
    '?': () => (isShowingKeys.value = true),
  })
  useEffect(closeList, [view, id])
  const View = views[view]
  const ViewRail = rails[view]
  return (
    <div class="frame">
      <a class="frame-skip" href="#content" onClick={skip}>
        {text().skip}
      </a>
      {!isPhone.value && (
        <Rail>
          <ViewRail />
        </Rail>
      )}
      <main id="content" class="frame-main" tabIndex={-1}>
        <Notes />
        <View key={view} id={id} />
      </main>
      {isPhone.value && <Tabs />}
      {isPhone.value && isListOpen.value && (
        <Sheet label={text()[view === 'run' ? 'runs' : view]} onClose={closeList}>
          <ViewRail />
          <RailFoot />
        </Sheet>
      )}
      {isFinding.value && <Finder />}
      {isShowingKeys.value && <KeyList />}
      <Questions />
      <Toasts />
    </div>
  )
}

/** The address of the page holds its view: a link to a part of the page must not change it. */
function skip(event: Event): void {
  event.preventDefault()
  document.getElementById('content')?.focus()
}

/** What concerns every view. */
function Notes() {
  if (isElsewhere.value)
    return (
      <Notice
        kind="caution"
        bar
        title={text().elsewhereTitle}
        actions={
          <Button small onClick={() => location.reload()}>
            {text().takeOver}
          </Button>
        }
      >
        {text().elsewhereText}
      </Notice>
    )
  if (connection.value !== 'changed') return null
  return (
    <Notice
      kind="caution"
      bar
      title={text().changedTitle(machine.value?.version ?? '')}
      actions={
        <Button small onClick={() => location.reload()}>
          {text().reload}
        </Button>
      }
    >
      {text().changedText}
    </Notice>
  )
}

function Absent() {
  return (
    <main class="frame-alone">
      <h1>{text().absentTitle}</h1>
      <p>{text().absentText(location.host)}</p>
      <p>
        <Command text="npx ift serve" />
      </p>
      <p>
        <Button kind="primary" onClick={tryNow}>
          {text().tryNow}
        </Button>
      </p>
    </main>
  )
}

function Locked() {
  return (
    <main class="frame-alone">
      <h1>{text().lockedTitle}</h1>
      <p>{text().lockedText}</p>
      <p>
        <Command text={`http://${location.host}/#t=…`} />
      </p>
    </main>
  )
}

import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { postJson } from '../../api/client.js'
import type { RunReply } from '../../api/types.js'
import { pathOf } from '../../app/routes.js'
import { isPhone } from '../../app/width.js'
import { Button, IconButton } from '../../components/button.js'
import { ask } from '../../components/dialog.js'
import { Sheet } from '../../components/sheet.js'
import { text } from './text.js'

/** After so long the second signal is offered. */
const patience = 10_000

/** What can be done with a run: open it in Chat, see its config, stop it, go on with it. */
export function RunActions({
  run,
  act,
  onConfig,
  onlyResume,
}: {
  readonly run: RunReply
  readonly act: (work: Promise<unknown>) => Promise<void>
  readonly onConfig?: () => void
  readonly onlyResume?: boolean
}) {
  const words = text()
  const path = `/api/runs/${encodeURIComponent(run.id)}`
  const [busy, setBusy] = useState(false)
  const resume = run.canResume && (
    <Button
      icon="play"
      busy={busy && words.resuming}
      onClick={() => {
        setBusy(true)
        void act(postJson(`${path}/resume`, {})).then(() => {
          setBusy(false)
        })
      }}
    >
      {words.resume}
    </Button>
  )
  if (onlyResume) return resume || null
  const served = run.model
  const others = (
    <>
      <Button
        kind="quiet"
        icon="open"
        off={served === null && words.notServed}
        href={pathOf('chat', null, { model: served ?? '' })}
      >
        {words.openInChat}
      </Button>
      {run.hasReport && (
        <Button kind="quiet" icon="file" href={`${path}/report`}>
          {words.report}
        </Button>
      )}
      <Button kind="quiet" icon="sliders" {...(onConfig && { onClick: onConfig })}>
        {words.config}
      </Button>
    </>
  )
  return (
    <>
      {isPhone.value ? <PhoneMenu>{others}</PhoneMenu> : others}
      {run.process?.canStop === true && <StopButton run={run} act={act} />}
      {resume}
    </>
  )
}

/** What a phone has no room for beside the name of the run. */
function PhoneMenu({ children }: { readonly children: ComponentChildren }) {
  const words = text()
  const [isOpen, setIsOpen] = useState(false)
  const close = () => {
    setIsOpen(false)
  }
  return (
    <>
      <IconButton
        icon="more"
        label={words.moreActions}
        onClick={() => {
          setIsOpen(true)
        }}
      />
      {isOpen && (
        <Sheet label={words.moreActions} onClose={close}>
          <div class="run-menu" onClick={close}>
            {children}
          </div>
        </Sheet>
      )}
    </>
  )
}

function StopButton({
  run,
  act,
}: {
  readonly run: RunReply
  readonly act: (work: Promise<unknown>) => Promise<void>
}) {
  const words = text()
  const path = `/api/runs/${encodeURIComponent(run.id)}/stop`
  const isStopping = run.state === 'stopping'
  const [isLong, setIsLong] = useState(false)
  useEffect(() => {
    setIsLong(false)
    if (!isStopping) return
    const timer = setTimeout(() => {
      setIsLong(true)
    }, patience)
    return () => {
      clearTimeout(timer)
    }
  }, [isStopping])
  if (isStopping && isLong)
    return (
      <Button
        kind="destructive"
        icon="stop"
        onClick={() => {
          const newest = run.checkpoints.at(-1)
          ask({
            title: words.stopNowTitle,
            text: words.stopNowText(newest === undefined ? '0' : String(newest.step)),
            cancel: words.goOn,
            actions: [
              {
                text: words.stopAtOnce,
                kind: 'destructive',
                run: () => void act(postJson(path, { now: true })),
              },
            ],
          })
        }}
      >
        {words.stopAtOnce}
      </Button>
    )
  if (isStopping) return <Button busy={words.stopping} />
  return (
    <Button
      icon="stop"
      onClick={() => {
        ask({
          title: words.stopTitle(run.step ?? 0),
          text: words.stopText,
          cancel: words.goOn,
          actions: [
            { text: words.stopWithCheckpoint, icon: 'stop', run: () => void act(postJson(path, {})) },
          ],
        })
      }}
    >
      {isPhone.value ? words.stop : words.stopWithCheckpoint}
    </Button>
  )
}

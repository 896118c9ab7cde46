import { useEffect, useState } from 'preact/hooks'
import { connection, machine, retryAt, tryNow } from '../app/connection.js'
import { text } from '../app/text.js'
import { Button } from './button.js'
import { Notice } from './notice.js'

/** Says that the server does not answer, since when, and when it is tried again. */
export function ConnectionBar() {
  const [now, setNow] = useState(Date.now())
  const isLost = connection.value === 'lost'
  useEffect(() => {
    if (!isLost) return
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [isLost])
  if (!isLost) return null
  const last = machine.value && new Date(machine.value.now).toLocaleTimeString('en-GB')
  const seconds = Math.max(0, Math.ceil(((retryAt.value ?? now) - now) / 1000))
  return (
    <Notice
      kind="caution"
      bar
      title={text().notConnected}
      actions={
        <Button small onClick={tryNow}>
          {text().tryNow}
        </Button>
      }
    >
      {text().goesOn} {last && text().shown(last)} {text().retry(seconds)}
    </Notice>
  )
}

import './copy.css'
import { useEffect, useState } from 'preact/hooks'
import { words } from '../app/language.js'
import { Button, IconButton } from './button.js'

const text = words({
  en: { copy: 'Copy', copied: 'Copied' },
  zh: { copy: '复制', copied: '已复制' },
})

/** Puts a text on the clipboard; browsers without one (plain http from elsewhere) copy a selection. */
export async function copyText(value: string): Promise<void> {
  // Absent where the page is not from this machine or https.
  const clipboard = navigator.clipboard as Clipboard | undefined
  if (clipboard) return clipboard.writeText(value)
  const area = document.createElement('textarea')
  area.value = value
  area.style.position = 'fixed'
  area.style.opacity = '0'
  document.body.append(area)
  area.select()
  // The only way without a clipboard.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  document.execCommand('copy')
  area.remove()
}

function useCopied(value: string | (() => string)) {
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return
    const timer = setTimeout(() => setCopied(false), 1500)
    return () => clearTimeout(timer)
  }, [copied])
  const copy = () => void copyText(typeof value === 'function' ? value() : value).then(() => setCopied(true))
  return { copied, copy }
}

/** An icon that copies. */
export function CopyIcon({
  value,
  label,
}: {
  readonly value: string | (() => string)
  readonly label?: string
}) {
  const { copied, copy } = useCopied(value)
  return (
    <IconButton
      icon={copied ? 'check' : 'copy'}
      label={copied ? text().copied : (label ?? text().copy)}
      onClick={copy}
    />
  )
}

/** A button that copies. */
export function Copy({
  text: value,
  label,
}: {
  readonly text: string | (() => string)
  readonly label?: string
}) {
  const { copied, copy } = useCopied(value)
  return (
    <Button small icon={copied ? 'check' : 'copy'} onClick={copy}>
      {copied ? text().copied : (label ?? text().copy)}
    </Button>
  )
}

/** A line for a terminal. */
export function Command({ text: value }: { readonly text: string }) {
  return (
    <span class="command">
      <code>{value}</code>
      <CopyIcon value={value} />
    </span>
  )
}

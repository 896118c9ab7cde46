import { useEffect, useRef, useState } from 'preact/hooks'
import { sentencesEnd } from './sentences.js'
import type { Turn } from './tree.js'

/** Says an answer to readers of screens sentence by sentence, while it is written. */
export function Announcer({ turn }: { readonly turn: Turn | null }) {
  const said = useRef({ id: '', length: 0 })
  const [line, setLine] = useState('')
  const { id = '', content = '', answer } = turn ?? {}
  const isWriting = answer?.end === 'writing'
  useEffect(() => {
    if (said.current.id !== id) said.current = { id, length: isWriting ? 0 : content.length }
    const end = isWriting ? sentencesEnd(content) : content.length
    if (end <= said.current.length) return
    setLine(content.slice(said.current.length, end))
    said.current.length = end
  }, [id, content, isWriting])
  return (
    <div class="for-readers" aria-live="polite">
      {line}
    </div>
  )
}

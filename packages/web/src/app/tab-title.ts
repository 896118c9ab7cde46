import { useEffect } from 'preact/hooks'

/** The title of the browser's tab while a component is there. */
export function useTabTitle(title: string): void {
  useEffect(() => {
    document.title = title === '' ? 'ift' : `${title} · ift`
    return () => {
      document.title = 'ift'
    }
  }, [title])
}

import { Component, type FunctionComponent, h } from 'preact'

const differ = (a: object, b: object): boolean =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].some(
    (key) => a[key as keyof typeof a] !== b[key as keyof typeof b],
  )

/** A component that is drawn anew only when one of its properties is another value, or a signal that it read has changed. */
export function memo<P extends object>(inner: FunctionComponent<P>): FunctionComponent<P> {
  return class Memo extends Component<P> {
    override shouldComponentUpdate(next: Readonly<P>): boolean {
      return differ(this.props, next)
    }

    override render() {
      return h(inner, this.props)
    }
  } as unknown as FunctionComponent<P>
}

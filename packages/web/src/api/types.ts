/** What the server answers and is asked: the types of the server itself. */
export type * from '@ift/serve/api'

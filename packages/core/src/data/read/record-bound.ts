import { IftError } from '@ift/tensor'
import { mostRecordBytes } from '../../files/bounds.js'

/** Counts the bytes of a record while they come, white space in front of it included. */
export class RecordBound {
  readonly #path: string
  #bytes = 0

  constructor(path: string) {
    this.#path = path
  }

  /** More bytes, of line `line`: `IFT_DATA_RECORD` when they are too many. */
  add(bytes: number, line: number): void {
    this.#bytes += bytes
    if (this.#bytes > mostRecordBytes)
      throw new IftError(
        'IFT_DATA_RECORD',
        `${this.#path}:${line}: a record of more than ${mostRecordBytes >> 20} MiB.`,
        'Check that the file is what it should be: a record is one example, and a line of JSONL is one record.',
      )
  }

  /** The record ended. */
  end(): void {
    this.#bytes = 0
  }
}

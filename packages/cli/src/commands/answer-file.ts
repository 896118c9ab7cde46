import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { diskFiles, exactJson, IftError, refuseInputs, refuseUnwritable, writeFailed } from '@ift/core'

/**
 * A file of JSON lines that a command writes over a long time. Lines go to `FILE.partial`, which replaces FILE when
 * all are there. FILE keeps its content until then, and a command that ends early leaves its lines in `FILE.partial`.
 */
export class AnswerFile {
  readonly #target: string
  readonly #partial: string
  readonly #overwrite: boolean
  #file: number | null = null
  #lines = 0

  private constructor(target: string, overwrite: boolean) {
    this.#target = target
    this.#overwrite = overwrite
    // A pipe or a device takes lines as they come and has nothing to lose.
    const plain = !existsSync(target) || statSync(target).isFile()
    this.#partial = plain ? `${target}.partial` : target
  }

  /**
   * Checks that the file may be written, without touching it. `IFT_USAGE` when it exists and `overwrite` is not set,
   * `IFT_FOLDER_IN_USE` when the command reads it.
   */
  static async plan(path: string, input: string, overwrite: boolean): Promise<AnswerFile> {
    const file = new AnswerFile(existsSync(path) ? realpathSync(path) : path, overwrite)
    const folder = dirname(file.#partial)
    if (!existsSync(folder))
      throw new IftError(
        'IFT_FILE_UNWRITABLE',
        `${path} cannot be written: there is no folder ${folder}.`,
        `mkdir -p ${folder}`,
      )
    if (file.#partial !== file.#target) await refuseUnwritable(folder)
    const inputs = (await diskFiles(input)).map((path) => ({ what: 'the input', path }))
    for (const [place, why] of [
      [file.#target, 'exists.'],
      [file.#partial, 'holds the lines of a command that did not end.'],
    ] as const) {
      await refuseInputs(place, inputs)
      if (existsSync(place) && !overwrite)
        throw new IftError(
          'IFT_USAGE',
          `${place} ${why}`,
          'Replace it with --overwrite, or name another file.',
        )
    }
    return file
  }

  /** Lines so far. */
  get lines(): number {
    return this.#lines
  }

  /** Where they are until `finish`. */
  get partial(): string {
    return this.#partial
  }

  write(record: object): void {
    try {
      this.#file ??= this.#open()
      const bytes = Buffer.from(`${exactJson(record)}\n`)
      for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at)
      this.#lines++
    } catch (error) {
      throw writeFailed(this.#partial, error)
    }
  }

  #open(): number {
    if (this.#partial === this.#target) return openSync(this.#target, 'w')
    if (this.#overwrite) rmSync(this.#partial, { force: true })
    return openSync(this.#partial, 'wx', existsSync(this.#target) ? statSync(this.#target).mode : 0o666)
  }

  /** All lines are there. */
  finish(): void {
    try {
      this.#file ??= this.#open()
      if (this.#partial !== this.#target) fsyncSync(this.#file)
      this.close()
      if (this.#partial !== this.#target) renameSync(this.#partial, this.#target)
    } catch (error) {
      throw writeFailed(this.#target, error)
    }
  }

  /** Ends before the end: the lines so far stay in `partial`. */
  close(): void {
    if (this.#file !== null) closeSync(this.#file)
    this.#file = null
  }
}

/** Fields of the line for a record that was refused. */
export const refusal = (where: string, { code, message }: IftError) => ({
  error: { code, message: `${where}: ${message}` },
})

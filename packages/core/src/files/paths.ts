import { homedir } from 'node:os'
import { resolve } from 'node:path'

/** `~` and `~/…` as a shell reads them; no shell does in a config, nor in `--output=~/runs`. */
export const expandHome = (path: string, home: string = homedir()): string =>
  path.replace(/^~(?=$|[/\\])/, () => home)

/** A path that a user wrote, from the folder that relative ones start at. */
export const localPath = (from: string, path: string): string => resolve(from, expandHome(path))

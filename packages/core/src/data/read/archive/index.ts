import type { ArchiveEntry } from './entry.js'
import { tarEntries } from './tar.js'
import { zipEntries } from './zip.js'

/** Files of an archive, one after another in its order; each is read, or passed over, before the next. */
export const archiveEntries = (archive: string): AsyncGenerator<ArchiveEntry> =>
  /\.zip$/i.test(archive) ? zipEntries(archive) : tarEntries(archive)

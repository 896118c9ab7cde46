// The most that is taken from outside. Whoever wrote a file decides what is in it; these numbers decide what reading it costs. Each is
// some times the largest that was published, so that no honest file meets it. docs/security.md lists them for users.

const MiB = 1 << 20

/** JSON beside weights: config.json, adapter_config.json, an index. The largest, the index of a mixture of 100,000 tensors, has 10 MB. */
export const mostSettingsBytes = 64 * MiB

/** tokenizer.json, vocab.json, merges.txt, tokenizer.model. The largest, of 262,000 tokens, has 35 MB. */
export const mostVocabularyBytes = 128 * MiB

/** package.json of an installed package: 41 kB in @babel/runtime, which exports each of its files by name. */
export const mostPackageJsonBytes = MiB

/** The file that logging in to the hub writes: one token of 37 characters. Hubs of other kinds have signed ones, which are longer. */
export const mostTokenBytes = 16384

/** metrics.jsonl: a line of 300 bytes for each of ten million steps would be more than any run writes. */
export const mostMetricsBytes = 512 * MiB

/** How deep arrays and objects may lie in each other: the limit of serde_json, which reads tokenizer.json and safetensors elsewhere. */
export const mostJsonDepth = 128

/** Values in one JSON text; each takes up to 100 bytes of memory. tokenizer.json of 262,000 tokens holds 2 million. */
export const mostJsonValues = 1 << 23

/** A record of a data file. The longest text of V8 has 512 MB, and a record is parsed as one. */
export const mostRecordBytes = 256 * MiB

/** What was found of duplicates, kept beside tokenised data: a byte for each example, and a report. */
export const mostVerdictBytes = 2048 * MiB

/** Tensors of a checkpoint, and in one file of it. Kimi K2 in int4, the most so far, has 210,000 in 62 files. */
export const mostTensors = 1 << 20
export const mostTensorsInFile = 1 << 18

/** The header of a GGUF file holds the vocabulary as well: 20 MB for 262,000 tokens. */
export const mostGgufHeaderBytes = 256 * MiB

/** Keys of a GGUF file's metadata; published files have 60. */
export const mostGgufKeys = 1 << 16

/**
 * pytorch_model.bin of a hub repository that is named as an adapter: with its projection a prefix of ChatGLM-6B has 2 GB. What is larger
 * is a model.
 */
export const mostPrefixBytes = 4096 * MiB

/** Parameters that a model is built of. A mixture of 61 layers with 384 experts has 70,000. */
export const mostParameters = 1 << 18

/** Layers of a model: 126 in LLaMA 3.1 405B, 1,000 in experiments. */
export const mostLayers = 4096

/** Heads, and experts, of a layer: 128 and 512 in published models. */
export const mostHeads = 8192

/** Any other size in config.json: kernels count rows and columns in 31 bits. */
export const mostSize = 2 ** 31 - 1

/** The pickle in a file of tensors: some 150 bytes for each. */
export const mostPickleBytes = 256 * MiB

/**
 * What unpickling makes in memory: `pickleFactor` times the pickle, and no more than `mostPickleMemory`. The objects that describe a
 * tensor take 8 times their pickle.
 */
export const pickleFactor = 32
export const leastPickleMemory = 64 * MiB
export const mostPickleMemory = 512 * MiB

/** Elements that a tensor may have beyond those stored for it: `expand` repeats them, and a mask or a list of positions is such a view. */
export const mostRepeated = MiB

/** The directory of a zip archive: an entry for each tensor. */
export const mostZipDirectoryBytes = 64 * MiB
export const mostZipEntries = 1 << 18

/**
 * What a zstd frame may ask to keep of its output: the limit of the zstd program. The window is moved for each block: for so many
 * bytes at most where a block makes less than a thousandth of it, which no compressor does but to flush a stream.
 */
export const mostZstdWindow = 128 * MiB
export const mostZstdWork = 2 ** 36

/** The footer of a Parquet file, and rows of one of its row groups, which is in memory as a whole. Writers make groups of a million rows. */
export const mostParquetFooterBytes = 64 * MiB
export const mostParquetRows = 1 << 24

/**
 * A page of a column after it is decompressed, all pages of a row group, and the memory that its rows take. Pages have 1 MB and groups
 * 128 MB by default.
 */
export const mostParquetPageBytes = 512 * MiB
export const mostParquetGroupBytes = 1024 * MiB
export const mostParquetMemory = 1536 * MiB

/**
 * Entries of an archive of data, and their names, which are listed before one is read. Archives of a file for each example have some
 * hundred thousand.
 */
export const mostArchiveEntries = 1 << 20
export const mostArchiveNameBytes = 128 * MiB

/** Bytes that deflate makes out of one: a match of 258 bytes takes 2 bits (RFC 1951). */
export const mostDeflateFactor = 1032

/** A Parquet file in an archive, which is unpacked to be read: its footer is at its end. Shards of the hub have 0.5 GB. */
export const mostUnpackedBytes = 16384 * MiB

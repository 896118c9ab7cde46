#!/usr/bin/env node
// Not built, so that a package manager can link the command before the package is.
import { main } from '../dist/index.js'

process.exitCode = await main(process.argv.slice(2))

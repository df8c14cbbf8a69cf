#!/usr/bin/env node
import { main } from './main.js'

const code = await main(process.argv.slice(2))
// An app that `doctor` has loaded may leave connections open.
process.stdout.write('', () => process.exit(code))

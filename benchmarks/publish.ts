/** `npm run docs:performance`: writes the results of the full run and the soak test into the docs. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { withResults } from './lib/published.js'

const page = fileURLToPath(new URL('../docs/performance.md', import.meta.url))
writeFileSync(page, withResults(readFileSync(page, 'utf8')))

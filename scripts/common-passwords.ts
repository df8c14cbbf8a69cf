/**
 * Generates `src/core/passwords/common-passwords-data.ts` from a ranked list of leaked passwords.
 * Takes the most common ones of at least 8 characters, in lower case, compressed with Brotli.
 * To update the list, run:
 *
 *   npm install --no-save @zxcvbn-ts/language-common
 *   node --import tsx scripts/common-passwords.ts node_modules/@zxcvbn-ts/language-common/dist/passwords.json.mjs
 */
import { writeFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { brotliCompressSync } from 'node:zlib'

const kept = 4000
const [source] = process.argv.slice(2)
if (source === undefined) throw new Error('Name the module whose default export is the ranked list')

const ranked = ((await import(pathToFileURL(source).href)) as { default: string | string[] })
  .default
const list = typeof ranked === 'string' ? ranked.split(',') : ranked
const common = [...new Set(list.map((word) => word.normalize('NFC').toLowerCase()))]
  .filter((word) => [...word].length >= 8 && !word.includes('\n'))
  .slice(0, kept)
  .sort()
const data = brotliCompressSync(common.join('\n')).toString('base64')

await writeFile(
  'src/core/passwords/common-passwords-data.ts',
  `/**
 * The ${common.length} most common passwords of at least 8 characters, lower case, one a line, Brotli, base64. Ranked by
 * @zxcvbn-ts/language-common (MIT); made by scripts/common-passwords.ts.
 */
// biome-ignore format: one value
export const commonPasswordsData = '${data}'
`,
)
console.log(`${common.length} passwords, ${data.length} bytes`)

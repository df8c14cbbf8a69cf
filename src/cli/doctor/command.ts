import { type Command, parseCommand, UsageError } from '../usage.js'
import { examine } from './examine.js'
import { pathOfApp } from './load.js'

function urlOf(text: string | undefined): URL | undefined {
  if (text === undefined) return undefined
  if (URL.canParse(text) && /^https?:\/\//i.test(text)) return new URL(text)
  throw new UsageError('"--url" must be like https://app.example.com, with https:// or http://')
}

/** `doctor`: loads an app and says what is wrong with it. */
export const doctor: Command = {
  summary: 'Check an app and say what to fix.',
  help: `Usage: fastify-crudauth doctor <file> [--url <url>]

Loads the app, waits until it is ready, checks it and closes it. The file exports the Fastify
instance or a function that makes it, as default or as "build". Run it with the environment of the
app. Exit code 1: something must be fixed.

Options:
  --url <url>  Public address of the app. Sends one request there, and also checks https and proxies.

For TypeScript: NODE_OPTIONS="--import tsx" npx fastify-crudauth doctor ./app.ts`,
  run(args, { print }) {
    const { values, positionals } = parseCommand('doctor', args, { url: { type: 'string' } })
    const [file, second] = positionals
    if (file === undefined)
      throw new UsageError('Name the file of your app: fastify-crudauth doctor ./app.js')
    if (second !== undefined) throw new UsageError(`"doctor" takes one file, got also "${second}"`)
    const url = urlOf(values.url)
    return examine(file, pathOfApp(file), url, print)
  },
}

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { moduleUrl } from '../helpers/child.js'
import { type CliOptions, runCli } from '../helpers/cli.js'
import { scratch } from './printed.js'

const imports = `import Fastify from 'fastify'
import crudAuth, { memoryUsers, sessionTransport } from '${moduleUrl('src/index.ts')}'
import { kyselyUsers } from '${moduleUrl('src/user-stores/kysely/index.ts')}'
import { kyselyState } from '${moduleUrl('src/state/kysely/index.ts')}'
import * as kysely from 'kysely'
const secret = '9fQx+2LrV0mZc7TnYwKd4HsBj8PgUe1AoR6iXvNq3Fz5CtEyWuMk'
`

/** A secret that nothing is wrong with. */
export const goodSecret = '9fQx+2LrV0mZc7TnYwKd4HsBj8PgUe1AoR6iXvNq3Fz5CtEyWuMk'

/** An app that registers the plugin with these options, as the default export. */
export const appWith = (options = 'secret, users: memoryUsers()', fastify = ''): string => `
const app = Fastify(${fastify})
await app.register(crudAuth, { ${options} })
export default app
`

/** Saves an app in a folder of its own. Returns its path. */
export function saveApp(t: TestContext, code: string, name = 'app.mjs'): string {
  const path = join(scratch(t), name)
  writeFileSync(path, name.endsWith('.cjs') ? code : imports + code)
  return path
}

/** Runs \`doctor\` on an app. */
export async function examineApp(
  t: TestContext,
  code: string,
  options: CliOptions & { readonly args?: readonly string[]; readonly name?: string } = {},
) {
  const path = saveApp(t, code, options.name)
  const result = await runCli(['doctor', path, ...(options.args ?? [])], options)
  return { ...result, path, all: result.stdout + result.stderr }
}

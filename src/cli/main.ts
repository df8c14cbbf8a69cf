import { createRequire } from 'node:module'
import { doctor } from './doctor/command.js'
import { schema } from './schema/command.js'
import { secret } from './secret.js'
import { type Command, UsageError } from './usage.js'

const commands = new Map<string, Command>(Object.entries({ secret, schema, doctor }))

const help = () => `Usage: fastify-crudauth <command> [options]

Commands:
${[...commands].map(([name, { summary }]) => `  ${name.padEnd(8)}${summary}`).join('\n')}

Options:
  -h, --help     Print this help, or that of a command.
  -v, --version  Print the version.`

const version = (): string =>
  createRequire(import.meta.url)('fastify-crudauth/package.json').version as string

const isHelp = (word: string | undefined) => word === '--help' || word === '-h'

async function run(args: readonly string[], print: (text: string) => void): Promise<number> {
  const [first, ...rest] = args
  if (isHelp(first)) {
    print(help())
    return 0
  }
  if (first === '--version' || first === '-v') {
    print(version())
    return 0
  }
  const names = [...commands.keys()].join(', ')
  if (first === undefined)
    throw new UsageError(
      `A command is missing; use one of ${names}. "fastify-crudauth --help" describes them`,
    )
  const command = commands.get(first)
  if (!command)
    throw new UsageError(
      `Unknown ${first.startsWith('-') ? 'option' : 'command'} "${first}"; the commands are ${names}. "fastify-crudauth --help" describes them`,
    )
  if (rest.some(isHelp)) {
    print(command.help)
    return 0
  }
  return command.run(rest, { print })
}

/**
 * Runs the command line.
 * @returns 0; 1 if `doctor` found something to fix; 2 for wrong usage
 */
export async function main(args: readonly string[]): Promise<number> {
  try {
    return await run(args, (text) => void process.stdout.write(`${text}\n`))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${error.message}\n`)
    return 2
  }
}

import { randomBytes } from 'node:crypto'
import { type Command, parseCommand, UsageError } from './usage.js'

/** `secret`: prints a new secret, and nothing else, so that a script can use the output. */
export const secret: Command = {
  summary: 'Print a new secret.',
  help: `Usage: fastify-crudauth secret

Prints 48 random bytes in base64, for "secret" or "mfa.encryptionKeys". Use a new one for each.`,
  run(args, { print }) {
    const { positionals } = parseCommand('secret', args, {})
    if (positionals.length > 0)
      throw new UsageError('"secret" takes no arguments: fastify-crudauth secret')
    print(randomBytes(48).toString('base64'))
    return 0
  },
}

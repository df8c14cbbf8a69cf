import { type ParseArgsConfig, parseArgs } from 'node:util'

/** Wrong usage of the command line: exit code 2. The message says what to write instead. */
export class UsageError extends Error {}

/** What the command line passes to a command, and where its output goes. */
interface Terminal {
  /** Prints a line to standard output. */
  print(text: string): void
}

/** A command: its help text, and what it does. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string
  readonly help: string
  /**
   * @returns the exit code
   * @throws UsageError
   */
  run(args: readonly string[], terminal: Terminal): number | Promise<number>
}

const parts = (error: unknown): { code?: unknown; message: string } =>
  error as { code?: unknown; message: string }

/**
 * Parses the arguments of a command.
 * @throws UsageError that names the wrong argument and the help of the command
 */
export function parseCommand<const Options extends NonNullable<ParseArgsConfig['options']>>(
  command: string,
  args: readonly string[],
  options: Options,
): ReturnType<typeof parseArgs<{ options: Options; allowPositionals: true; strict: true }>> {
  const help = `"fastify-crudauth ${command} --help" lists the options`
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true })
  } catch (error) {
    const { code, message } = parts(error)
    const name = /'(?:-\w, )?(-[^' ]*)/.exec(message)?.[1] ?? ''
    if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION')
      throw new UsageError(`Unknown option "${name}"; ${help}`)
    if (code === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE')
      throw new UsageError(
        /does not take/.test(message)
          ? `Option "${name}" takes no value; ${help}`
          : `Option "${name}" needs a value; ${help}`,
      )
    throw error
  }
}

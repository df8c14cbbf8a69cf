import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import ts from 'typescript'
import type { Dialect } from './tables.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const providers = { postgres: 'postgresql', mysql: 'mysql', sqlite: 'sqlite' }

/** A generated client, as far as tests use it. */
export interface PrismaModule {
  readonly PrismaClient: new (options: object) => PrismaClient
}

// biome-ignore lint/suspicious/noExplicitAny: the models depend on the schema
type PrismaClient = any

/**
 * Generates the sources of a Prisma client for some models into a temporary folder. The command line
 * of Prisma wants a schema engine, but generating a client never starts it: any program will do, so
 * that nothing is downloaded.
 */
export async function generatePrismaSources(
  dialect: Dialect,
  models: string,
): Promise<{ folder: string }> {
  // Inside the repository, so that the client finds Prisma's packages.
  mkdirSync(join(root, '.tmp'), { recursive: true })
  const folder = mkdtempSync(join(root, '.tmp', 'prisma-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const schema = join(folder, 'schema.prisma')
  writeFileSync(
    schema,
    `generator client {
  provider            = "prisma-client"
  output              = "./client"
  importFileExtension = "js"
}

datasource db {
  provider = "${providers[dialect]}"
}

${models}
`,
  )
  const command = join(root, 'node_modules', 'prisma', 'build', 'index.js')
  await promisify(execFile)(process.execPath, [command, 'generate', '--schema', schema], {
    cwd: folder,
    env: {
      ...process.env,
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
      CHECKPOINT_DISABLE: '1',
    },
  })
  return { folder: join(folder, 'client') }
}

/** Generates and compiles a Prisma client. */
export async function generatePrisma(dialect: Dialect, models: string): Promise<PrismaModule> {
  const { folder: client } = await generatePrismaSources(dialect, models)
  for (const name of readdirSync(client, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue
    const { outputText } = ts.transpileModule(readFileSync(join(client, name), 'utf8'), {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
    })
    writeFileSync(join(client, name.replace(/\.ts$/, '.js')), outputText)
  }
  return import(pathToFileURL(join(client, 'client.js')).href)
}

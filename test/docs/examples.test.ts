import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import ts from 'typescript'
import { sourcePaths, typeErrors } from './compile.js'
import { type Block, blocksOf, pages, root } from './documents.js'

const blocks = pages.flatMap(blocksOf).filter(({ language }) => language === 'ts')

test('examples: every TypeScript example compiles against the sources', () => {
  assert.ok(blocks.length > 20, 'the examples were found')
  const errors = typeErrors(blocks.filter(({ marks }) => marks.alone === undefined))
  // Declaration merging is for a whole program, so these get one of their own.
  for (const block of blocks)
    if (block.marks.alone !== undefined) errors.push(...typeErrors([block]))
  assert.deepEqual(errors, [])
})

test('examples: a compile error is reported with its file and line', () => {
  const block = {
    path: 'x.md',
    line: 10,
    language: 'ts',
    code: "app.get('/', { onRequest: app.currentUsr() }, async () => 1)",
  }
  const [error = ''] = typeErrors([{ ...block, marks: { with: 'app' } }])
  assert.match(error, /^x\.md:11 .*currentUsr/)
})

test('examples: every code block has a known language, so every TypeScript block is compiled', () => {
  // Blocks in JavaScript have a name, by which a test runs them in a browser.
  const others = pages
    .flatMap(blocksOf)
    .filter(
      ({ language, marks }) =>
        !['ts', 'sh', 'sql', 'http', 'json', 'text', 'html', 'mermaid', 'prisma'].includes(
          language,
        ) && !(language === 'js' && marks.name !== undefined),
    )
  assert.deepEqual(
    others.map(({ path, line, language }) => `${path}:${line} ${language}`),
    [],
  )
})

test('examples: scripts in HTML and JSON have no syntax errors', () => {
  const all = pages.flatMap(blocksOf)
  const scripts = all
    .filter(({ language }) => language === 'html')
    .flatMap(({ code, path, line }) =>
      [...code.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map(([, script = '']) => ({
        script,
        at: `${path}:${line}`,
      })),
    )
  assert.ok(scripts.length >= 5)
  for (const { script, at } of scripts) {
    const { diagnostics = [] } = ts.transpileModule(script, {
      reportDiagnostics: true,
      compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
    })
    const found = diagnostics.map(({ messageText }) => messageText)
    assert.deepEqual(found, [], at)
  }
  for (const { code, path, line } of all.filter(({ language }) => language === 'json'))
    assert.doesNotThrow(() => JSON.parse(code), `${path}:${line}`)
})

/**
 * A block as a file below the repository, where its packages are found (ignored by git), with the package's name leading to
 * the sources.
 */
function example(t: TestContext, block: Block) {
  mkdirSync(join(root, '.tmp'), { recursive: true })
  const folder = mkdtempSync(join(root, '.tmp', 'example-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  assert.equal(block.marks.with, undefined, 'the example is complete')
  writeFileSync(join(folder, 'example.ts'), block.code)
  const tsconfig = join(folder, 'tsconfig.json')
  writeFileSync(tsconfig, JSON.stringify({ compilerOptions: { paths: sourcePaths() } }))
  const env: NodeJS.ProcessEnv = { ...process.env, TSX_TSCONFIG_PATH: tsconfig }
  // Set inside a run of Node's test runner, where an example with tests of its own would not run them.
  delete env.NODE_TEST_CONTEXT
  return { path: join(folder, 'example.ts'), env }
}

for (const block of blocks.filter(({ marks }) => marks.test !== undefined)) {
  test(`examples: the tests at ${block.path}:${block.line} pass`, async (t) => {
    const { path, env } = example(t, block)
    const child = spawn(process.execPath, ['--import', 'tsx', path], {
      cwd: root,
      env: { ...env, NODE_ENV: 'test' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk
      })
    }
    const [status] = await once(child, 'close')
    assert.equal(status, 0, output)
    assert.match(output, /pass [1-9]/)
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

test('README example: runs unchanged: sign-up, sign-in and a guarded route', async (t) => {
  const block = blocks.find(({ path, marks }) => path === 'README.md' && marks.run !== undefined)
  assert.ok(block, 'the README has an example to run')
  const { path, env } = example(t, block)
  const port = await freePort()
  const child = spawn(process.execPath, ['--import', 'tsx', path], {
    cwd: root,
    env: { ...env, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk
    })
  }
  const ended = once(child, 'exit')
  t.after(async () => {
    child.kill()
    await ended
  })

  const base = `http://localhost:${port}`
  const started = async () => {
    for (;;) {
      if (child.exitCode !== null) assert.fail(`the example ended:\n${output}`)
      const answer = await fetch(`${base}/dashboard`).catch(() => null)
      if (answer) return answer
      await sleep(50)
    }
  }
  const anonymous = await started()
  assert.equal(anonymous.status, 401, 'an anonymous request is 401')
  assert.equal(((await anonymous.json()) as { code: string }).code, 'CRUDAUTH_UNAUTHENTICATED')

  const password = 'a quiet sea at noon'
  const registered = await fetch(`${base}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'ada@example.com', username: 'ada', password }),
  })
  assert.equal(registered.status, 201)
  const { id } = (await registered.json()) as { id: number }

  const login = await fetch(`${base}/login`, {
    method: 'POST',
    body: new URLSearchParams({ username: 'ada', password }),
  })
  assert.equal(login.status, 200)
  const cookie = login.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ')

  const dashboard = await fetch(`${base}/dashboard`, { headers: { cookie } })
  assert.equal(dashboard.status, 200)
  assert.deepEqual(await dashboard.json(), { hello: id })
})

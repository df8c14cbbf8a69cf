import assert from 'node:assert/strict'
import { test } from 'node:test'
import { moduleUrl } from '../helpers/child.js'
import { appWith, examineApp, goodSecret } from './apps.js'

test('doctor: an app without mistakes gets exit code 0, and warnings of the plugin', async (t) => {
  const { code, stdout, all } = await examineApp(t, appWith())
  assert.equal(code, 0, all)
  assert.match(stdout, /^fastify-crudauth doctor /)
  assert.match(stdout, /^✔ The app gets ready\.$/m)
  assert.match(stdout, /^✔ The user store answers\.$/m)
  assert.match(stdout, /^✔ No secret looks weak\.$/m)
  assert.match(stdout, /^✔ No package is below its security floor\.$/m)
  assert.match(stdout, /^! The plugin keeps sessions and counters in the memory of this process/m)
  assert.match(stdout, /Nothing must be fixed, 1 warning\.\n$/)
})

const make = `async () => {
  const app = Fastify()
  await app.register(crudAuth, { secret, users: memoryUsers() })
  return app
}`
const commonJs = (exported: string) => `
const make = async () => {
  const { default: Fastify } = await import('fastify')
  const { default: crudAuth, memoryUsers } = await import('${moduleUrl('src/index.ts')}')
  const app = Fastify()
  app.register(crudAuth, { secret: '${goodSecret}', users: memoryUsers() })
  return app
}
${exported}
`
const forms: [what: string, code: string, name: string, flags?: string[]][] = [
  ['a function as default export', `export default ${make}`, 'app.mjs'],
  ['an export named build', `export const build = ${make}`, 'app.mjs'],
  ['a CommonJS function', commonJs('module.exports = make'), 'app.cjs'],
  ['a CommonJS export named build', commonJs('exports.build = make'), 'app.cjs'],
  [
    'compiled TypeScript in CommonJS',
    commonJs('exports.__esModule = true; exports.default = make'),
    'app.cjs',
  ],
  [
    'TypeScript under tsx',
    `const build: () => Promise<unknown> = ${make}\nexport default build`,
    'app.ts',
    ['--import', 'tsx'],
  ],
]
for (const [what, code, name, flags] of forms)
  test(`doctor: loads ${what}`, async (t) => {
    const result = await examineApp(t, code, { name, ...(flags && { flags }) })
    assert.equal(result.code, 0, result.all)
    assert.match(result.stdout, /The app gets ready/)
  })

test('doctor: TypeScript without a loader ends with exit code 2 and says how to run it', {
  skip:
    process.env.CRUDAUTH_TEST_COMPILED && !('typescript' in process.features)
      ? false
      : 'this process loads TypeScript',
}, async (t) => {
  const { code, stderr } = await examineApp(t, appWith(), { name: 'app.ts' })
  assert.equal(code, 2)
  assert.match(stderr, /doesn't load TypeScript; .*NODE_OPTIONS="--import tsx"/)
})

const noApps: [what: string, code: string][] = [
  ['no export', 'export const answer = 42'],
  ['a function that returns nothing', 'export default async () => {}'],
]
for (const [what, code] of noApps)
  test(`doctor: ${what} ends with exit code 2`, async (t) => {
    const result = await examineApp(t, code)
    assert.equal(result.code, 2, result.all)
    assert.match(result.stderr, /exports no app|returned no Fastify instance/)
  })

const mistakes: [what: string, code: string, expected: RegExp][] = [
  ['an app without the plugin', 'export default Fastify()', /does not register fastify-crudauth/],
  [
    'an app that fails to load',
    "throw new TypeError('nothing works')",
    /✖ The app failed while it was loaded: TypeError: nothing works/,
  ],
  [
    'a plugin that fails',
    "export default Fastify().register(async () => { throw new Error('no disk') })",
    /✖ The app failed to get ready: Error: no disk/,
  ],
  ['an unknown option', appWith('secret, users: memoryUsers(), sesion: 1'), /✖ .*"sesion"/],
  [
    'a short secret',
    appWith("secret: 'x9Kq', users: memoryUsers()"),
    /✖ "secret" must be at least 32 bytes, got 4/,
  ],
  [
    'a mistake that only onReady finds',
    `${appWith()}app.addHook('onReady', async () => {
      throw Object.assign(new Error('first line\\nsecond line'), { code: 'CRUDAUTH_CONFIG' })
    })`,
    /✖ first line\n✖ second line/,
  ],
  [
    'an error that nobody handles',
    `${appWith()}app.addHook('onReady', async () => {
      setImmediate(() => { throw new Error('the pool is gone') })
      await new Promise((resolve) => setTimeout(resolve, 20))
    })`,
    /✖ An error outside of a request would have ended the process: Error: the pool is gone/,
  ],
]
for (const [what, code, expected] of mistakes)
  test(`doctor: ${what} must be fixed`, async (t) => {
    const result = await examineApp(t, code)
    assert.equal(result.code, 1, result.all)
    assert.match(result.stdout, expected)
    assert.match(result.stdout, /things? must be fixed/)
  })

test('doctor: closes the app, and ends although a timer runs', async (t) => {
  const code = `${appWith()}
setInterval(() => {}, 1000)
app.addHook('onClose', async () => console.error('closed'))`
  const { code: exit, stderr } = await examineApp(t, code)
  assert.equal(exit, 0)
  assert.match(stderr, /^closed$/m)
})

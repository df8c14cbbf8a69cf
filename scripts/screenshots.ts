/** `npm run screenshots`: starts the demo, signs in on two devices, and updates `docs/images/`. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { findProgram, programs } from './services/programs.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const images = join(root, 'docs', 'images')
const password = 'a quiet sea at noon'

/** Starts the demo in an empty folder. Resolves when it prints its URL. */
async function startDemo(folder: string): Promise<{ demo: ChildProcess; url: string }> {
  const demo = spawn(process.execPath, ['--import', 'tsx', 'examples/demo/server.ts', '--oidc'], {
    cwd: root,
    env: { ...process.env, DEMO_FOLDER: folder, PORT: '0', LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const line of createInterface({ input: demo.stdout })) {
    const url = /http:\/\/localhost:\d+/.exec(line)?.[0]
    if (url) return { demo, url }
  }
  throw new Error('The demo ended without printing its URL')
}

async function open(browser: Browser, url: string): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } })
  const page = await context.newPage()
  await page.goto(url)
  return page
}

async function signIn(page: Page): Promise<void> {
  await page.locator('#login-name').fill('ada')
  await page.locator('#login-password').fill(password)
  await page.locator('#login button[type=submit]').click()
  await page.getByText('Hello, ada').waitFor()
}

async function register(page: Page): Promise<void> {
  await page.locator('#register-email').fill('ada@example.com')
  await page.locator('#register-name').fill('ada')
  await page.locator('#register-password').fill(password)
  await page.locator('#register button[type=submit]').click()
  await page.locator('#status').getByText(/./).first().waitFor()
}

async function takePictures(browser: Browser, url: string): Promise<void> {
  const shot = (page: Page, name: string) =>
    page.screenshot({ path: join(images, `${name}.png`), animations: 'disabled' })
  const home = await open(browser, url)
  await register(home)
  await signIn(home)
  const phone = await open(browser, url)
  await signIn(phone)
  await home.reload()
  await home.getByText('Hello, ada').waitFor()
  await home.locator('#devices li').nth(1).waitFor()
  await shot(home, 'demo')
  await home.locator('#factor-password').fill(password)
  await home.locator('#factor-begin button[type=submit]').click()
  const secret = home.locator('#factor-secret')
  await secret.locator('svg').waitFor()
  await secret.scrollIntoViewIfNeeded()
  await shot(home, 'demo-second-factor')
  await home.goto(`${url}/mailbox`)
  await home.locator('#mails button').first().click()
  await home.locator('#mail').waitFor()
  await shot(home, 'demo-mailbox')
}

const executablePath = findProgram(programs.chromium)
if (!executablePath) throw new Error('Chromium was not found; install the package "chromium"')
mkdirSync(images, { recursive: true })
const folder = mkdtempSync(join(tmpdir(), 'crudauth-screenshots-'))
const { demo, url } = await startDemo(folder)
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
try {
  await takePictures(browser, url)
  console.log(`Pictures of ${url} are in docs/images/`)
} finally {
  await browser.close()
  demo.kill()
  await once(demo, 'exit')
  rmSync(folder, { recursive: true, force: true })
}

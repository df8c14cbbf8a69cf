/** `npm run screenshots`: starts the demo, signs in on three devices, and updates `docs/images/`. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Locator, type Page } from 'playwright-core'
import { findProgram, programs } from './services/programs.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const images = join(root, 'docs', 'images')
const password = 'a quiet sea at noon'
/** Pictures are part of the repository. */
const maxBytes = 200_000
/** In pixels. */
const margin = 20
const phoneAgent =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile/15E148 Safari/604.1'

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

interface Look {
  readonly isPhone?: boolean
  readonly isDark?: boolean
}

async function open(browser: Browser, url: string, look: Look = {}): Promise<Page> {
  const context = await browser.newContext({
    viewport: look.isPhone ? { width: 390, height: 844 } : { width: 1280, height: 820 },
    ...(look.isPhone && { userAgent: phoneAgent }),
    colorScheme: look.isDark ? 'dark' : 'light',
    reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  await page.goto(url)
  await page.locator('#tab-login').waitFor()
  return page
}

async function signIn(page: Page, secret = password): Promise<void> {
  await page.locator('#login-name').fill('ada')
  await page.locator('#login-password').fill(secret)
  await page.locator('#login button[type=submit]').click()
  await page.locator('.field-error, #signed-in:not([hidden])').waitFor()
}

async function register(page: Page): Promise<void> {
  await page.locator('#tab-register').click()
  await page.locator('#register-email').fill('ada@example.com')
  await page.locator('#register-name').fill('ada')
  await page.locator('#register-password').fill(password)
  await page.locator('#register button[type=submit]').click()
  await page.locator('#status').getByText(/./).first().waitFor()
}

/** @param card only this element and a margin, instead of the screen */
async function shot(page: Page, name: string, card?: Locator): Promise<void> {
  const path = join(images, `${name}.png`)
  await page.mouse.move(0, 0)
  const box = await card?.boundingBox()
  const clip = box && {
    x: box.x - margin,
    y: box.y - margin,
    width: box.width + 2 * margin,
    height: box.height + 2 * margin,
  }
  await page.screenshot({ path, animations: 'disabled', ...(clip && { clip }) })
  const { size } = statSync(path)
  if (size > maxBytes) throw new Error(`${path} has ${size} bytes, more than ${maxBytes}`)
}

/** Gives the page an authenticator that agrees to everything. */
async function addAuthenticator(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page)
  await session.send('WebAuthn.enable')
  await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      ...{ protocol: 'ctap2', transport: 'internal' },
      ...{ hasResidentKey: true, hasUserVerification: true, isUserVerified: true },
      automaticPresenceSimulation: true,
    },
  })
}

async function takePictures(browser: Browser, url: string): Promise<void> {
  const home = await open(browser, url)
  await shot(home, 'demo-start')
  await register(home)
  await signIn(home)

  const phone = await open(browser, url, { isPhone: true })
  await shot(phone, 'demo-phone')
  await signIn(phone)
  await home.reload()
  await home.locator('#devices li').nth(1).waitFor()
  await shot(home, 'demo')

  const dark = await open(browser, url, { isDark: true })
  await signIn(dark, 'a wrong password')
  await signIn(dark)
  await dark.goto(`${url}/requests`)
  await dark.locator('#requests summary', { hasText: '401' }).click()
  await shot(dark, 'demo-requests')

  await addAuthenticator(home)
  await home.locator('#passkey-name').fill('Laptop')
  await home.locator('#passkey-add button').click()
  await home.locator('#passkey-list li').waitFor()
  await shot(home, 'demo-passkeys', home.locator('#passkeys'))

  await home.locator('#factor-password').fill(password)
  await home.locator('#factor-begin button[type=submit]').click()
  await home.locator('#factor-secret svg').waitFor()
  await home.locator('#danger').scrollIntoViewIfNeeded()
  await shot(home, 'demo-second-factor', home.locator('#factor'))

  await home.goto(`${url}/mailbox`)
  await home.frameLocator('#html').getByRole('link').first().waitFor()
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

import type { TestContext } from 'node:test'
import { hostDemo } from '../demo/in-process.js'
import { Device, openBrowser } from './chromium.js'

/** Starts a demo with an empty database, and opens its start page. */
export async function openDemo(t: TestContext, executablePath: string) {
  const demo = await hostDemo(t)
  const browser = await openBrowser(t, executablePath)
  return { demo, browser, device: await Device.open(browser, demo.url) }
}

/** The same on two devices, where Ada is signed in. */
export async function openOnTwoDevices(
  t: TestContext,
  executablePath: string,
  password: string,
): Promise<[device: Device, other: Device]> {
  const { demo, browser, device } = await openDemo(t, executablePath)
  const other = await Device.open(browser, demo.url)
  await device.register('ada', password)
  for (const one of [device, other]) {
    await one.signIn('ada', password)
    await one.sees(/Hello, ada/)
  }
  return [device, other]
}
